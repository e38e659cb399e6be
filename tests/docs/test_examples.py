"""Every example of the documentation is run, or says why it cannot be."""

import dataclasses
import doctest
import json
import os
import re
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.daemon.conftest import COMMAND, Pulse, pulse
from tests.docs.example import Example, documents, examples
from tests.docs.surroundings import daemon, printed_by, spoken_into, webhook

from digitd.daemon import events
from digitd.daemon.events import TYPES, published
from digitd.daemon.glimpse import Glimpse
from digitd.daemon.received import received

__all__ = ["pulse"]  # a fixture of the daemon's tests

EXAMPLES = [example for path in documents() for example in examples(path)]
TRIED = ("sh", "console", "python", "toml", "json")
SURROUNDINGS: tuple[set[str], ...] = (set(), {"daemon"}, {"daemon", "webhook"}, {"microphone"}, {"train"})
BODIES = {body.type: body for body in vars(events).values() if getattr(body, "type", None) in TYPES}
"""Type -> what it has of its own."""


def of(*languages: str, needs: tuple[set[str], ...] = SURROUNDINGS) -> list[object]:
    """The examples in these languages, which need just one of these."""
    found = [each for each in EXAMPLES if each.language in languages and not each.skip and each.needs in needs]
    return [pytest.param(each, id=each.name) for each in found]


def test_each_block_is_tried_or_says_why_not() -> None:
    untried = [each.name for each in EXAMPLES if each.language not in TRIED and len(each.skip) <= 10]
    assert not untried, "name one of the languages that are tried, or say why not: <!-- example: skip: ... -->"
    assert all(len(each.skip) > 10 for each in EXAMPLES if each.skip)
    assert [each.name for each in EXAMPLES if each.needs not in SURROUNDINGS] == []


def tried(example: Example, folder: Path, environment: dict[str, str]) -> None:
    """Run it with `demo.flac` at hand."""
    if example.language == "console":
        return answered(example, folder, environment)
    script = example.text
    if example.language == "python":
        (folder / "example.py").write_text(example.text, encoding="utf-8")
        script = f"{sys.executable} -u example.py"
    printed, status = printed_by(script, folder, environment, example.until)
    assert (status is None) if example.until else (status == 0), printed
    assert example.prints in printed
    return None


def answered(example: Example, folder: Path, environment: dict[str, str]) -> None:
    """Run each line after a `$`; what follows it is what it prints, `...` is anything."""
    parts = re.split(r"^\$ (.*)\n", example.text, flags=re.MULTILINE)
    assert parts[0] == "", "begin with a command, after a $"
    commands, answers = parts[1::2], parts[2::2]
    script = "\n".join(f"{command}\nprintf '\\0'" for command in commands)
    printed, status = printed_by(script, folder, environment)
    assert status == 0, printed
    for answer, got in zip(answers, printed.split("\0"), strict=False):
        assert doctest.OutputChecker().check_output(answer, got, doctest.ELLIPSIS), f"{answer}\nis not\n{got}"


@pytest.mark.parametrize("example", of("sh", "console", "python", needs=(set(),)))
def test_it_runs_alone(example: Example, tmp_path: Path) -> None:
    tried(example, tmp_path, dict(os.environ))


@pytest.mark.parametrize("example", of("sh", "console", "python", needs=({"daemon"}, {"daemon", "webhook"})))
def test_it_runs_beside_a_daemon(example: Example, tmp_path: Path) -> None:
    with ExitStack() as stack:
        environment = dict(os.environ)
        if "webhook" in example.needs:
            environment["HOME_ASSISTANT"] = stack.enter_context(webhook())
        stack.enter_context(daemon(tmp_path))
        tried(example, tmp_path, environment)


@pytest.mark.microphone
@pytest.mark.parametrize("example", of("sh", "console", "python", needs=({"microphone"},)))
def test_the_shell_runs_it_with_a_microphone(example: Example, tmp_path: Path, pulse: Pulse) -> None:
    with spoken_into(pulse):
        tried(example, tmp_path, pulse.environment)


@pytest.mark.train
@pytest.mark.parametrize("example", of("sh", "console", needs=({"train"},)))
def test_the_shell_trains_with_it(example: Example, tmp_path: Path) -> None:
    tried(example, tmp_path, dict(os.environ))


@pytest.mark.parametrize("example", of("toml"))
def test_toml_is_a_configuration(example: Example, tmp_path: Path) -> None:
    (tmp_path / "digitd.toml").write_text(example.text, encoding="utf-8")
    command = [*COMMAND, "config", "--config", str(tmp_path / "digitd.toml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("digitd.toml:") >= len(re.findall(r"^\w+ = ", example.text, re.MULTILINE))


def fields_of(table: dict[str, object]) -> list[str]:
    """Names of what an event, a glimpse or an answer has, in their order."""
    kind = str(table["type"])
    if kind == "error":
        return ["v", "type", "message"]
    if kind == Glimpse.type:
        return ["v", "type", "stream", *(field.name for field in dataclasses.fields(Glimpse))]
    return ["v", "type", "seq", "stream", *(field.name for field in published(BODIES[kind])), "time"]


@pytest.mark.parametrize("example", of("json"))
def test_json_lines_are_of_the_schema(example: Example) -> None:
    lines = [json.loads(line) for line in example.text.splitlines() if line.strip()]
    assert lines
    for line in lines:
        assert list(line) == fields_of(line)
        assert line["type"] == "error" or received(json.dumps(line).encode()).type == line["type"]

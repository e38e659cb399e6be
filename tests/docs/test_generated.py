"""The man page and the completions are those of the command line, and tell nothing that is not there."""

import re
import runpy
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.docs.example import documents, examples

import digitd
from digitd.__main__ import COMMANDS

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "man/digitd.1").read_text(encoding="utf-8")


@pytest.mark.parametrize("columns", ["40", "200"])
def test_what_is_committed_is_what_the_command_line_gives(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    generated: Iterator[tuple[Path, str]] = runpy.run_path(str(DOCS / "generate.py"))["generated"]()
    stale = [path.name for path, text in generated if path.read_text(encoding="utf-8") != text]
    assert not stale, "run `python docs/generate.py`"


def test_the_man_page_tells_of_every_command_and_the_version() -> None:
    assert f"digitd {digitd.__version__}" in PAGE.splitlines()[0]
    assert all(f"digitd {name}" in PAGE.replace("\\-", "-") for name in COMMANDS)


def test_what_the_man_page_gives_as_examples_is_run_elsewhere() -> None:
    told = re.findall(r"^\.B (digitd .*)$", PAGE[PAGE.index(".SH EXAMPLES") : PAGE.index(".SH FILES")], re.MULTILINE)
    run = [each.text for path in documents() for each in examples(path) if not each.skip]
    assert len(told) > 3
    assert [command for command in told if not any(command.replace("\\-", "-") in text for text in run)] == []


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_the_man_page_is_set_without_a_complaint() -> None:
    command = ["groff", "-man", "-Tutf8", "-ww", "-rLL=80n", str(DOCS / "man/digitd.1")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_picture_shows_what_its_source_names() -> None:
    source, picture = ((DOCS / f"architecture.{kind}").read_text(encoding="utf-8") for kind in ("dot", "svg"))
    named = [line for label in re.findall(r'label="([^"]+)"', source) for line in re.split(r"\\[nl]", label)]
    shown = picture.replace("&#39;", "'").replace("&#45;", "-").replace("&#160;", " ")
    assert [line for line in named if line.strip() not in shown] == []

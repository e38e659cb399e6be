"""Every example of the documentation is run, or says why it cannot be."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from tests.conftest import DEMO
from tests.daemon.conftest import COMMAND, Pulse, pulse
from tests.docs.example import ROOT, Example, documents, examples

from digitd.daemon.config import DaemonConfig
from digitd.daemon.events import TYPES
from digitd.daemon.received import received
from digitd.daemon.settings import from_table

__all__ = ["pulse"]  # a fixture of the daemon's tests

EXAMPLES = [example for path in documents() for example in examples(path)]
SHELL = [example for example in EXAMPLES if example.language == "sh" and not example.skip]
LONGEST_S = 120
LANGUAGES = {"sh", "python", "toml", "json", "text", "xml", "ini"}
"""`text` is what something prints; the others are run or read."""


def of(*needs: str) -> list[object]:
    """The shell's examples that need just these."""
    return [pytest.param(each, id=each.name) for each in SHELL if each.needs == set(needs)]


def test_each_block_is_of_a_kind_that_is_tried_or_says_why_not() -> None:
    assert {each.language for each in EXAMPLES} <= LANGUAGES
    kinds = {frozenset(), *(frozenset(needs) for needs in (["microphone"], ["daemon"], ["train"]))}
    assert {each.needs for each in SHELL} <= kinds
    assert all(len(each.skip) > 10 for each in EXAMPLES if each.skip)


@contextmanager
def spoken_into(pulse: Pulse) -> Iterator[None]:
    """The demo is said again and again."""
    over = threading.Event()

    def say() -> None:
        while not over.is_set():
            pulse.play(DEMO)

    thread = threading.Thread(target=say)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def daemon(folder: Path) -> Iterator[None]:
    """A daemon at the usual place that hears the demo again and again."""
    import numpy as np
    import soundfile

    samples, rate_hz = soundfile.read(DEMO, dtype="int16")
    soundfile.write(folder / "again.wav", np.tile(samples, 20), rate_hz)
    flags = ["--source", str(folder / "again.wav"), "--pace", "realtime", "--sink", f"unix:{folder / 'digitd.sock'}"]
    with subprocess.Popen([*COMMAND, "run", *flags]) as process:
        while not (folder / "digitd.sock").exists():
            assert process.poll() is None
            time.sleep(0.02)
        try:
            yield
        finally:
            process.terminate()


def tried(example: Example, folder: Path, environment: dict[str, str]) -> None:
    """Run it with `demo.flac` at hand; for ever, if it is one of those, means until it has printed what it should."""
    shutil.copy(DEMO, folder / "demo.flac")
    environment = {
        **environment,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "XDG_RUNTIME_DIR": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "XDG_DATA_HOME": str(folder),
        "REPOSITORY": str(ROOT),
    }
    process = subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", example.text],
        cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    printed = b""
    timer = threading.Timer(LONGEST_S, os.killpg, [process.pid, signal.SIGKILL])
    timer.start()
    try:
        assert process.stdout is not None
        while piece := os.read(process.stdout.fileno(), 4096):
            printed += piece
            if example.until and example.until.encode() in printed:
                return
        status = process.wait()
    finally:
        timer.cancel()
        with_all_of_it_gone(process)
    assert not example.until, printed.decode()
    assert status == 0, printed.decode()
    assert example.prints in printed.decode()


def with_all_of_it_gone(process: "subprocess.Popen[bytes]") -> None:
    """What an example leaves running ends with it."""
    try:
        os.killpg(process.pid, signal.SIGTERM)
        time.sleep(0.3)
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    assert process.stdout is not None
    process.stdout.close()
    process.wait()


@pytest.mark.parametrize("example", of())
def test_the_shell_runs_it(example: Example, tmp_path: Path) -> None:
    tried(example, tmp_path, dict(os.environ))


@pytest.mark.parametrize("example", of("daemon"))
def test_the_shell_runs_it_beside_a_daemon(example: Example, tmp_path: Path) -> None:
    with daemon(tmp_path):
        tried(example, tmp_path, dict(os.environ))


@pytest.mark.microphone
@pytest.mark.parametrize("example", of("microphone"))
def test_the_shell_runs_it_with_a_microphone(example: Example, tmp_path: Path, pulse: Pulse) -> None:
    with ExitStack() as stack:
        stack.enter_context(spoken_into(pulse))
        tried(example, tmp_path, pulse.environment)


@pytest.mark.train
@pytest.mark.parametrize("example", of("train"))
def test_the_shell_trains_with_it(example: Example, tmp_path: Path) -> None:
    tried(example, tmp_path, dict(os.environ))


@pytest.mark.parametrize(
    "example", [pytest.param(each, id=each.name) for each in EXAMPLES if each.language == "python" and not each.skip]
)
def test_python_runs_it_beside_a_daemon(example: Example, tmp_path: Path) -> None:
    (tmp_path / "example.py").write_text(example.text, encoding="utf-8")
    command = Example(example.path, example.line, "sh", f"{sys.executable} -u example.py", until=example.until)
    with daemon(tmp_path):
        tried(command, tmp_path, dict(os.environ))


@pytest.mark.parametrize(
    "example", [pytest.param(each, id=each.name) for each in EXAMPLES if each.language == "toml" and not each.skip]
)
def test_toml_is_a_configuration(example: Example) -> None:
    from_table(DaemonConfig, tomllib.loads(example.text), example.name)


@pytest.mark.parametrize("example", [pytest.param(each, id=each.name) for each in EXAMPLES if each.language == "json"])
def test_json_lines_are_of_the_schema(example: Example) -> None:
    lines = [line for line in example.text.splitlines() if line.strip()]
    assert lines
    for line in lines:
        if "v" in json.loads(line) and json.loads(line)["type"] != "error":
            assert received(line.encode()).type in (*TYPES, "glimpse")


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.name)
def test_links_within_the_project_lead_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if "://" not in target and not target.startswith("mailto:"):
            assert (path.parent / target).exists(), target

"""What `digitd run` starts with: no needless import, and a microphone's program ahead where one is wanted."""

import os
import re
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import DEMO

from digitd.daemon.sources import program
from digitd.daemon.sources.program import MICROPHONE, Program, started_ahead, taken
from digitd.daemon.sources.source import SourceConfig

NEEDLESS = {
    "asyncio", "concurrent", "http", "multiprocessing", "ssl", "unittest", "xml", "logging.handlers", "pydoc",
    "numpy.random", "numpy.ma", "numpy.polynomial", "numpy.testing", "numpy.f2py",
    "tqdm", "pyaudio", "tomli_w", "prometheus_client", "textual", "websockets", "ray", "requests", "google", "onnx",
    "scipy", "sklearn", "tensorflow", "keras", "librosa", "matplotlib",
    "digitd.trainer", "digitd.export", "digitd.daemon.sinks.unix_socket", "digitd.daemon.sources.microphone",
    "digitd.daemon.metrics_server", "digitd.daemon.callers.registry", "digitd.daemon.doctor",
    "wyoming", "zeroconf", "paho", "tritonclient", "grpc", "fsspec",
    "digitd.daemon.wyoming", "digitd.daemon.telephone", "digitd.daemon.gateway", "digitd.daemon.web",
    "digitd.daemon.client", "digitd.daemon.engines.kserve", "digitd.daemon.sinks.mqtt",
}  # fmt: skip
"""Each costs milliseconds or megabytes, and a file that is heard on the CPU needs none."""
BASE = {"numpy", "webrtcvad-wheels", "soxr", "soundfile", "tomli-w", "tqdm"}
"""What `pip install digitd` brings along: ONNX Runtime is an extra, for there are two of them."""


def test_a_file_is_heard_without_needless_imports() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "digitd", "run", "--source", str(DEMO), "--provider", "cpu"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "onnxruntime" in loaded  # the listing is what it is taken for
    assert {name for name in NEEDLESS if any(each == name or each.startswith(f"{name}.") for each in loaded)} == set()


def test_importing_digitd_imports_nothing_else() -> None:
    code = "import sys; before = set(sys.modules); import digitd; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["digitd"]


def test_the_base_needs_what_it_always_did() -> None:
    of_base = [each for each in requires("digitd") or [] if "extra ==" not in each]
    assert {re.split(r"[<>=!~; \[]", each)[0] for each in of_base} == BASE


def test_the_capture_program_stays_small() -> None:
    code = "import sys, digitd.daemon.sources.capture; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    heavy = {"numpy", "soxr", "onnxruntime", "tomllib", "logging", "subprocess", "email", "asyncio", "inspect"}
    assert not loaded & heavy


def test_the_default_source_is_the_microphone() -> None:
    assert SourceConfig().spec == MICROPHONE


@pytest.mark.parametrize(
    ("flags", "toml", "wanted"),
    [
        ({}, None, True),
        ({"source": {"spec": "mic:desk"}}, None, True),
        ({"source": {"rate_hz": 8000}}, "", True),
        ({"source": {"spec": "-"}}, None, False),
        ({"source": {"spec": "microphone.wav"}}, None, False),
        ({"sources": [{"spec": "-"}, {"spec": "mic"}]}, None, True),
        ({}, '[source]\nspec = "unix:/run/digitd/audio"\n', False),
        ({}, '[[sources]]\nspec = "mic:desk"\n[[sources]]\nspec = "a.wav"\n', True),
        ({"source": {"spec": "mic"}}, '[source]\nspec = "-"\n', True),
        ({"source": {"rate_hz": 8000}}, '[source]\nspec = "-"\n', False),
        ({"log_level": "debug"}, None, False),  # what ALSA prints is to be seen
        ({}, 'log_level = "debug"\n', False),
        ({}, "no TOML", False),
        ({"source": {"spec": 5}}, "sources = 5\n", False),
    ],
)
def test_a_program_is_started_ahead_where_a_microphone_is_asked_for(
    flags: dict[str, Any], toml: str | None, tmp_path: Path, *, wanted: bool
) -> None:
    config_file = None if toml is None else tmp_path / "digitd.toml"
    if config_file and toml:
        config_file.write_text(toml)
    elif config_file:
        config_file.touch()
    with started_ahead(flags, config_file):
        assert len(program._ahead) == wanted
    assert program._ahead == []


def test_a_configuration_that_comes_through_a_pipe_is_left_for_who_reads_it() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"secret = true")
    os.close(writing)
    with started_ahead({}, Path(f"/dev/fd/{reading}")):
        assert program._ahead == []
    assert os.read(reading, 100) == b"secret = true"
    os.close(reading)


def test_one_that_nobody_took_is_ended() -> None:
    with started_ahead({}, None):
        waiting = program._ahead[0]
    assert waiting.pipe == -1
    assert waiting.status() < 0


def test_one_that_is_taken_goes_on_and_the_next_is_new() -> None:
    with started_ahead({}, None):
        waiting = program._ahead[0]
        first, second = taken(quiet=True), taken(quiet=True)
    assert first is waiting
    assert isinstance(second, Program)
    for each in (first, second):
        assert os.fstat(each.pipe)
        each.end()

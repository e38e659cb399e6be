"""`--help` of every command is quick: it loads nothing that takes long."""

import subprocess
import sys

import pytest

from digitd.__main__ import COMMANDS

SLOW = {
    "tensorflow", "keras", "scipy", "sklearn", "matplotlib", "onnx", "onnxruntime", "soundfile", "pyaudio",
    "prometheus_client", "textual", "websockets", "librosa", "audiomentations",
}  # fmt: skip
"""Each takes a tenth of a second or more, or needs what may not be installed."""


@pytest.mark.parametrize("command", [*COMMANDS, ""])
def test_help_loads_nothing_slow(command: str) -> None:
    words = [command, "--help"] if command else ["--help"]
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "digitd", *words], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: digitd")
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert not loaded & SLOW

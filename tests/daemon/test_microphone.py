"""Words played into a real PulseAudio come out of `digitd run --source mic:pulse`."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile
from tests.conftest import DEMO_DIGITS

from digitd.daemon.audio import Samples

pytestmark = pytest.mark.microphone
FORMAT = ["--rate=16000", "--channels=1", "--format=s16le"]
DIGITD = [sys.executable, "-m", "digitd"]


@pytest.fixture
def pulse(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a private PulseAudio whose only microphone is the monitor of a null sink."""
    tmp_path.chmod(0o700)
    folder = str(tmp_path)
    environment = {
        **os.environ,
        "HOME": folder,
        "XDG_RUNTIME_DIR": folder,
        "PULSE_RUNTIME_PATH": folder,
        "PULSE_SERVER": f"unix:{folder}/native",
        "PULSE_LATENCY_MSEC": "20",
    }
    null_sink = "module-null-sink sink_name=fakemic rate=16000 channels=1 format=s16le"
    server = subprocess.Popen(
        ["pulseaudio", "--exit-idle-time=-1", "-n", "-L", "module-native-protocol-unix", "-L", null_sink],
        env=environment,
        stderr=subprocess.DEVNULL,
    )
    while not (tmp_path / "native").exists():
        time.sleep(0.05)
    keep_alive = subprocess.Popen(
        ["parec", "--latency-msec=20", *FORMAT, "-d", "fakemic.monitor"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(2.5)  # without it the first audio comes up to 1.8 s late
    yield {**environment, "SERVER_PID": str(server.pid)}
    for process in (keep_alive, server):
        process.terminate()
        process.wait()


def test_words_played_into_the_microphone_come_out_as_digits(
    pulse: dict[str, str], demo: Samples, tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "demo.wav", demo, 16000)
    listed = subprocess.run([*DIGITD, "devices"], env=pulse, capture_output=True, text=True, check=True)
    assert "mic:pulse" in listed.stdout
    assert listed.stderr == ""  # none of ALSA's noise
    command = [*DIGITD, "run", "--source", "mic:pulse", "--sink", "stdout:jsonl"]
    daemon = subprocess.Popen(command, env=pulse, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert daemon.stdout is not None
    assert json.loads(daemon.stdout.readline())["type"] == "ready"
    time.sleep(0.5)
    playing = {**pulse, "PULSE_LATENCY_MSEC": "200"}
    subprocess.run(["paplay", "-d", "fakemic", str(tmp_path / "demo.wav")], env=playing, check=True)
    time.sleep(1.0)
    daemon.terminate()
    output, errors = daemon.communicate(timeout=10)
    events = [json.loads(line) for line in output.splitlines()]
    assert "".join(event["digit"] for event in events if event["type"] == "digit") == DEMO_DIGITS
    assert [event["digits"] for event in events if event["type"] == "string"] == [DEMO_DIGITS]
    assert (daemon.returncode, errors) == (0, "")


def test_a_microphone_that_stops_sending_is_told(pulse: dict[str, str]) -> None:
    command = [*DIGITD, "run", "--source", "mic:pulse", "--sink", "stdout:jsonl"]
    daemon = subprocess.Popen(command, env=pulse, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert daemon.stdout is not None
    daemon.stdout.readline()
    time.sleep(0.5)
    subprocess.run(["pulseaudio", "--kill"], env=pulse, check=True)
    output, errors = daemon.communicate(timeout=20)
    assert daemon.returncode == 2
    assert "microphone 'pulse' has sent nothing for 2 s" in errors
    assert json.loads(output.splitlines()[-1])["type"] == "end"


def test_a_frozen_audio_server_is_told_and_does_not_hold_the_end_up(pulse: dict[str, str]) -> None:
    command = [*DIGITD, "run", "--source", "mic:pulse", "--sink", "stdout:jsonl"]
    daemon = subprocess.Popen(command, env=pulse, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert daemon.stdout is not None
    daemon.stdout.readline()
    time.sleep(0.5)
    os.kill(int(pulse["SERVER_PID"]), signal.SIGSTOP)
    try:
        _, errors = daemon.communicate(timeout=20)
    finally:
        os.kill(int(pulse["SERVER_PID"]), signal.SIGCONT)
    assert daemon.returncode == 2
    assert "has sent nothing for 2 s" in errors


def test_an_unknown_microphone_lists_those_that_exist(pulse: dict[str, str]) -> None:
    done = subprocess.run(
        [*DIGITD, "run", "--source", "mic:plse"], env=pulse, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "no microphone 'plse'; did you mean 'pulse'?; there are 'pulse', 'default'" in done.stderr

"""Words played into a real PulseAudio come out of `digitd run --source mic:pulse`, whatever becomes of the server."""

import itertools
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile
from tests.conftest import DEMO_DIGITS
from tests.daemon.conftest import COMMAND, Daemon, Pulse

from digitd.daemon.audio import Samples

pytestmark = pytest.mark.microphone


@pytest.fixture
def recording(demo: Samples, tmp_path: Path) -> Path:
    path = tmp_path / "demo.wav"
    soundfile.write(path, demo, 16000)
    return path


@pytest.fixture
def daemon(pulse: Pulse) -> Iterator[Daemon]:
    """It hears."""
    started = Daemon("--log-level", "info", "--mode", "entry", source="mic:pulse", environment=pulse.environment)
    assert started.event()["type"] == "ready"
    time.sleep(0.7)
    yield started
    started.close()


def dialled(daemon: Daemon, pulse: Pulse, recording: Path) -> str:
    """The string that comes out when the recording is played; once more where this microphone itself lost samples."""
    for _ in range(2):
        pulse.play(recording)
        digits: str = daemon.until(type="string")["digits"]
        if digits == DEMO_DIGITS:
            break
    return digits


def test_words_played_into_the_microphone_come_out_as_digits(daemon: Daemon, pulse: Pulse, recording: Path) -> None:
    listed = subprocess.run([*COMMAND, "devices"], env=pulse.environment, capture_output=True, text=True, check=True)
    assert "mic:pulse" in listed.stdout
    assert listed.stderr == ""  # none of ALSA's noise
    pulse.play(recording)
    time.sleep(1.0)
    events, log = daemon.stop()
    assert "".join(event["digit"] for event in events if event["type"] == "digit") == DEMO_DIGITS
    assert [event["digits"] for event in events if event["type"] == "string"] == [DEMO_DIGITS]
    assert log == "digitd: INFO: provider 'auto' took cpu\ndigitd: INFO: SIGTERM: stopping\n"


def lost_and_found(daemon: Daemon, pulse: Pulse, recording: Path, times: int) -> None:
    """Take the server away in the middle of a word, again and again: each loss and return is told, and digits go on."""
    seqs = [0]
    for away_s in itertools.islice(itertools.cycle([0.3, 1.0, 2.5]), times):
        pulse.kill()
        lost = daemon.until(type="source", state="lost")
        time.sleep(away_s)
        pulse.start()
        back = daemon.until(type="source", state="back")
        assert away_s < back["dropped_s"] < away_s + 8
        assert back["at_s"] == pytest.approx(lost["at_s"] + back["dropped_s"], abs=0.05)
        time.sleep(1.0)
        assert dialled(daemon, pulse, recording) == DEMO_DIGITS
        seqs += [lost["seq"], back["seq"]]
    assert seqs == sorted(seqs)


def test_a_microphone_that_is_taken_away_is_found_again(daemon: Daemon, pulse: Pulse, recording: Path) -> None:
    lost_and_found(daemon, pulse, recording, times=2)
    _, log = daemon.stop()
    assert log.count("microphone 'pulse' is gone") == 2
    assert log.count("microphone 'pulse' is back") == 2


@pytest.mark.slow
def test_twenty_losses(daemon: Daemon, pulse: Pulse, recording: Path) -> None:
    lost_and_found(daemon, pulse, recording, times=20)


def test_a_word_that_the_loss_cuts_is_decided_before_it_is_told(daemon: Daemon, pulse: Pulse, recording: Path) -> None:
    environment = {**pulse.environment, "PULSE_LATENCY_MSEC": "200"}
    with subprocess.Popen(["paplay", "-d", "fakemic", str(recording)], env=environment, stderr=subprocess.DEVNULL):
        assert daemon.until(type="digit")["digit"] == DEMO_DIGITS[0]
        pulse.kill()
    told = daemon.event()
    while told["type"] != "source":
        assert told["type"] in ("digit", "string", "rejected")
        told = daemon.event()
    assert told["state"] == "lost"
    assert [event["type"] for event in daemon.stop()[0]] == ["end"]


def test_a_frozen_audio_server_is_told_and_its_thaw(daemon: Daemon, pulse: Pulse, recording: Path) -> None:
    pulse.server.send_signal(signal.SIGSTOP)
    assert daemon.until(type="source")["state"] == "stalled"
    pulse.server.send_signal(signal.SIGCONT)
    assert daemon.until(type="source", state="back")["dropped_s"] > 2
    time.sleep(1.0)
    assert dialled(daemon, pulse, recording) == DEMO_DIGITS


def test_a_frozen_audio_server_does_not_hold_the_end_up(daemon: Daemon, pulse: Pulse) -> None:
    pulse.server.send_signal(signal.SIGSTOP)
    daemon.until(type="source", state="stalled")
    time.sleep(0.5)  # it tries to open the microphone again, and waits
    began_s = time.monotonic()
    events, _ = daemon.stop()
    assert time.monotonic() - began_s < 1
    assert [event["type"] for event in events] == ["end"]


def test_a_server_that_is_frozen_from_the_start_is_told(pulse: Pulse) -> None:
    pulse.server.send_signal(signal.SIGSTOP)
    command = [*COMMAND, "run", "--source", "mic:pulse"]
    done = subprocess.run(command, env=pulse.environment, capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "the audio server has not answered for 6 s" in done.stderr


def test_audio_that_the_machine_had_no_time_for_is_told(daemon: Daemon, pulse: Pulse, recording: Path) -> None:
    (capture,) = daemon.children()
    os.kill(capture, signal.SIGSTOP)
    time.sleep(1.5)
    os.kill(capture, signal.SIGCONT)
    overrun = daemon.until(type="source", state="overrun")
    assert 0.5 < overrun["dropped_s"] < 2
    assert dialled(daemon, pulse, recording) == DEMO_DIGITS


def test_a_daemon_that_is_killed_leaves_no_capture_behind(daemon: Daemon) -> None:
    (capture,) = daemon.children()
    daemon.process.kill()
    daemon.process.wait()
    for _ in range(100):
        if not Path(f"/proc/{capture}").exists():
            return
        time.sleep(0.02)
    raise AssertionError("the capture goes on")


def test_a_muted_microphone_is_told(daemon: Daemon, pulse: Pulse, recording: Path) -> None:
    silent = daemon.until(type="source")
    assert (silent["state"], silent["at_s"]) == ("silent", 10.0)
    pulse.play(recording)
    assert daemon.until(type="source")["state"] == "back"


def test_a_reader_of_standard_output_that_sleeps_loses_events_not_audio(
    daemon: Daemon, pulse: Pulse, recording: Path
) -> None:
    assert daemon.process.stdout is not None
    time.sleep(11)  # the pipe is not read; capture goes on
    assert daemon.until(type="source")["at_s"] == 10.0
    assert dialled(daemon, pulse, recording) == DEMO_DIGITS


def test_an_unknown_microphone_lists_those_that_exist(pulse: Pulse) -> None:
    command = [*COMMAND, "run", "--source", "mic:plse"]
    done = subprocess.run(command, env=pulse.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no microphone 'plse'; did you mean 'pulse'?; there are 'pulse', 'default'" in done.stderr

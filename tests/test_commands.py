"""The command as a user runs it: output, exit statuses, signals."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
import soundfile
from tests.conftest import DEMO, DEMO_DIGITS, ROOT

from digitd.daemon.audio import Samples

Digitd = Callable[..., subprocess.CompletedProcess[Any]]
COMMAND = [sys.executable, "-m", "digitd"]


def test_a_digit_a_line(digitd: Digitd) -> None:
    assert digitd("run", "--source", DEMO).stdout == "".join(f"{digit}\n" for digit in DEMO_DIGITS)


def test_a_string_a_line(digitd: Digitd) -> None:
    assert digitd("run", "--source", DEMO, "--sink", "stdout:strings").stdout == f"{DEMO_DIGITS}\n"


def without_time(lines: str) -> str:
    return re.sub(r'"time":"[^"]*"', "", lines)


def test_a_run_is_repeatable_byte_for_byte_but_for_time(digitd: Digitd) -> None:
    first, second = (digitd("run", "--source", DEMO, "--sink", "stdout:jsonl").stdout for _ in range(2))
    assert without_time(first) == without_time(second)
    assert [json.loads(line)["seq"] for line in first.splitlines()] == list(range(len(first.splitlines())))


def events(lines: str) -> list[dict[str, object]]:
    """Without what differs between a file and a pipe: where it came from, and when."""
    parsed = [json.loads(line) for line in lines.splitlines()]
    return [{k: v for k, v in e.items() if k not in ("time", "stream", "source")} for e in parsed]


@pytest.mark.parametrize("pace", ["fast", "realtime"])
def test_a_pipe_gives_the_events_of_the_file(digitd: Digitd, demo: Samples, pace: str) -> None:
    raw = np.round(demo * 32768).astype("<i2").tobytes()
    flags = ["--sink", "stdout:jsonl", "--pace", pace]
    piped = digitd("run", "--source", "-", *flags, input=raw, text=False)
    assert piped.returncode == 0
    assert events(piped.stdout.decode()) == events(digitd("run", "--source", DEMO, *flags).stdout)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_within_a_second_with_everything_published(number: signal.Signals, demo: Samples) -> None:
    command = [*COMMAND, "run", "--source", "-", "--sink", "stdout:jsonl"]
    until_end_of_first_word = int(0.95 * 16000)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as daemon:
        assert daemon.stdin is not None
        assert daemon.stdout is not None
        ready = json.loads(daemon.stdout.readline())
        daemon.stdin.write(np.round(demo[:until_end_of_first_word] * 32768).astype("<i2").tobytes())
        daemon.stdin.flush()
        time.sleep(0.3)  # the word is taken in, its hangover is not over
        began_s = time.monotonic()
        daemon.send_signal(number)
        rest = [json.loads(line) for line in daemon.stdout.read().splitlines()]
        assert daemon.wait() == 0
    assert time.monotonic() - began_s < 1
    assert [e["type"] for e in (ready, *rest)] == ["ready", "digit", "string", "end"]
    assert rest[0]["digit"] == DEMO_DIGITS[0]


def test_a_reader_that_leaves_ends_it_quietly() -> None:
    command = [*COMMAND, "run", "--source", str(DEMO)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as daemon:
        assert daemon.stdout is not None
        assert daemon.stderr is not None
        daemon.stdout.readline()
        daemon.stdout.close()
        assert daemon.wait() == 0
        assert daemon.stderr.read() == ""


def test_a_reader_that_leaves_ends_nothing_for_the_socket(tmp_path: Path) -> None:
    path = tmp_path / "s"
    sinks = ["--sink", "stdout:text", "--sink", f"unix:{path}"]
    command = [*COMMAND, "run", "--source", str(DEMO), "--pace", "realtime", *sinks]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as daemon:
        assert daemon.stdout is not None
        while not path.exists():
            time.sleep(0.01)
        daemon.stdout.close()
        watched = subprocess.run(
            [*COMMAND, "watch", "--once", str(path)], capture_output=True, text=True, check=True
        ).stdout
        assert json.loads(watched.splitlines()[-1])["type"] == "end"
        assert daemon.wait() == 0


def test_a_signal_ends_it_within_a_second_though_nobody_reads(demo: Samples) -> None:
    raw = np.round(np.tile(demo, 40) * 32768).astype("<i2").tobytes()
    command = [*COMMAND, "run", "--source", "-", "--sink", "stdout:jsonl"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pipesize=4096) as daemon:
        assert daemon.stdin is not None
        threading.Thread(target=feed, args=(daemon.stdin, raw), daemon=True).start()
        time.sleep(3)  # the pipe to nobody is full
        began_s = time.monotonic()
        daemon.terminate()
        assert daemon.wait() == 0
        assert time.monotonic() - began_s < 1


def feed(pipe: IO[bytes], raw: bytes) -> None:
    with suppress(BrokenPipeError):
        pipe.write(raw)


def test_a_full_disk_is_told() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, "run", "--source", str(DEMO)], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    assert "standard output cannot be written (No space left on device)" in done.stderr


@pytest.mark.parametrize(("closed", "flags"), [("<&-", ["--source", "-"]), (">&-", ["--source", str(DEMO)])])
def test_a_closed_standard_stream_is_told(closed: str, flags: list[str]) -> None:
    command = " ".join([*COMMAND, "run", *flags, closed])
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "is closed" in done.stderr


def test_watch_follows_the_socket_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "s"
    flags = ["--source", str(DEMO), "--pace", "realtime", "--sink", f"unix:{path}"]
    daemon = subprocess.Popen([*COMMAND, "run", *flags])
    while not path.exists():
        time.sleep(0.01)
    watching = [subprocess.Popen([*COMMAND, "watch", "--once", str(path)], stdout=subprocess.PIPE) for _ in range(2)]
    for watcher in watching:
        seen = [json.loads(line) for line in watcher.communicate()[0].splitlines()]
        assert "".join(event["digit"] for event in seen if event["type"] == "digit") == DEMO_DIGITS
        assert seen[-1]["type"] == "end"
        assert watcher.returncode == 0
    assert daemon.wait() == 0


def test_a_watchers_reader_may_leave(tmp_path: Path) -> None:
    path = tmp_path / "s"
    flags = ["--source", str(DEMO), "--pace", "realtime", "--sink", f"unix:{path}"]
    with subprocess.Popen([*COMMAND, "run", *flags]) as daemon:
        while not path.exists():
            time.sleep(0.01)
        watching = f"{sys.executable} -m digitd watch {path} | head -1"
        done = subprocess.run(["bash", "-c", watching], capture_output=True, text=True, check=True)
        assert (done.stdout.count("\n"), done.stderr) == (1, "")
        assert daemon.wait() == 0


def test_nobody_to_watch_is_told(digitd: Digitd, tmp_path: Path) -> None:
    done = digitd("watch", "--once", tmp_path / "s")
    assert (done.returncode, "nobody answers (No such file or directory)" in done.stderr) == (2, True)


def wav(path: Path, samples: Samples) -> Path:
    soundfile.write(path, samples, 16000, "FLOAT")
    return path


def test_bad_input_is_one_line_and_status_2(digitd: Digitd, tmp_path: Path, demo: Samples) -> None:
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("zero one two")
    (tmp_path / "short.wav").write_bytes(wav(tmp_path / "whole.wav", demo).read_bytes()[:5000])
    holed = demo.copy()
    holed[50000] = np.nan
    wav(tmp_path / "nan.wav", holed)
    (tmp_path / "bad.toml").write_text("[segmenter]\nhangover = 3\n")
    (tmp_path / "none-out.toml").write_text("sinks = []\n")
    with socket.socket(socket.AF_UNIX) as taken:
        taken.bind(str(tmp_path / "taken"))
        taken.listen()
        cases: dict[str, list[str]] = {
            "none.wav: cannot be read (No such file or directory)": ["--source", "none.wav"],
            "empty.wav: is empty (0 bytes)": ["--source", "empty.wav"],
            "text.wav: no WAV or FLAC file": ["--source", "text.wav"],
            "short.wav: truncated": ["--source", "short.wav"],
            "is NaN or infinite": ["--source", "nan.wav"],
            "source.rate_hz: 0 is out of range": ["--source", "-", "--rate", "0"],
            "no bundle 'none'": ["--model", "none"],
            "bad.toml:2: segmenter.hangover: unknown key; did you mean 'hangover_ms'?": ["--config", "bad.toml"],
            "none.toml: cannot be read": ["--config", "none.toml"],
            "too long for a socket": ["--source", str(DEMO), "--sink", "unix:" + "x" * 108],
            "a live process answers there": ["--source", str(DEMO), "--sink", "unix:taken"],
            "model.mode: 'alway' must be one of 'always', 'entry'": ["--mode", "alway"],
            "names one twice": ["--source", str(DEMO), "--sink", "unix:s", "--sink", "unix:s"],
            "sinks = [] would publish nothing": ["--config", "none-out.toml"],
            "'cuda' was asked for": ["--source", str(DEMO), "--provider", "cuda"],
        }
        for problem, flags in cases.items():
            done = digitd("run", *flags, cwd=tmp_path, env={**os.environ, "CUDA_VISIBLE_DEVICES": ""})
            assert (done.returncode, done.stderr.count("\n")) == (2, 1), (flags, done.stderr)
            assert done.stderr.startswith("digitd: error: ")
            assert problem in done.stderr


def test_what_was_said_before_damaged_audio_is_published(digitd: Digitd, tmp_path: Path, demo: Samples) -> None:
    holed = demo.copy()
    holed[-1000] = np.inf
    done = digitd("run", "--source", wav(tmp_path / "inf.wav", holed))
    assert done.returncode == 2
    assert done.stdout.split() == list(DEMO_DIGITS)


def test_an_odd_byte_on_stdin_is_told_after_what_was_heard(digitd: Digitd, demo: Samples) -> None:
    raw = np.round(demo * 32768).astype("<i2").tobytes() + b"\0"
    done = digitd("run", "--source", "-", input=raw, text=False)
    assert done.returncode == 2
    assert done.stdout.split() == [digit.encode() for digit in DEMO_DIGITS]
    assert b"stdin ended 1 bytes into a frame of 2" in done.stderr


def test_a_configuration_may_come_through_a_pipe() -> None:
    command = f"{sys.executable} -m digitd config --config <(echo 'log_level = \"info\"')"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert 'log_level = "info"' in done.stdout


def test_a_file_name_that_is_no_utf8_is_heard(digitd: Digitd, tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/\xff.flac"
    Path(os.fsdecode(path)).write_bytes(DEMO.read_bytes())
    done = digitd("run", "--source", os.fsdecode(path), "--sink", "stdout:jsonl")
    assert (done.returncode, json.loads(done.stdout.splitlines()[0])["stream"]) == (0, "\ufffd.flac")


def test_samples_far_over_full_scale_are_refused(digitd: Digitd, tmp_path: Path, demo: Samples) -> None:
    done = digitd("run", "--source", wav(tmp_path / "loud.wav", demo * np.float32(1e18)))
    assert (done.returncode, "1000 times full scale" in done.stderr) == (2, True)


def test_config_prints_what_run_would_take(digitd: Digitd, tmp_path: Path) -> None:
    done = digitd("config", "--config", ROOT / "systemd/digitd.toml", "--mode", "entry")
    (tmp_path / "again.toml").write_text(done.stdout)
    again = digitd("config", "--config", tmp_path / "again.toml").stdout
    assert tomllib.loads(again) == tomllib.loads(done.stdout)
    assert 'mode = "entry"' in done.stdout


def loaded(*arguments: str) -> set[str]:
    """Top-level modules that a command imports."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "digitd", *arguments], capture_output=True, text=True, check=True
    )
    return {line.rsplit("|", 1)[1].strip().split(".")[0] for line in done.stderr.splitlines() if "|" in line}


def test_help_loads_nothing_heavy() -> None:
    assert not loaded("--help") & {"numpy", "onnxruntime", "tensorflow", "keras", "librosa"}


def test_the_daemon_loads_only_its_light_base() -> None:
    heavy = {"tensorflow", "keras", "librosa", "tf2onnx", "onnx", "scipy", "tqdm", "numba", "pyaudio", "asyncio"}
    assert not loaded("run", "--source", str(DEMO)) & heavy
    assert not loaded("models") & heavy


WITHOUT_EXTRA = {
    "train": ["--help"],
    "sweep": [str(ROOT / "trainer/studies/founding.toml"), "--list"],
    "evaluate": ["study64", "--recording", "x.wav"],
    "data": ["fetch", "fsdd", "/tmp/none"],
}


@pytest.mark.parametrize(("command", "arguments"), WITHOUT_EXTRA.items())
def test_without_the_training_extra_the_remedy_is_named(command: str, arguments: list[str]) -> None:
    missing = ("tqdm", "scipy", "sklearn", "matplotlib", "jinja2", "tensorflow", "keras", "requests")
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({missing})); from digitd.__main__ import main; sys.exit(main())"
    )
    run = [sys.executable, "-c", program, command, *arguments]
    done = subprocess.run(run, capture_output=True, text=True, timeout=60, check=False)
    if command == "train":  # it can tell its arguments without
        assert (done.returncode, done.stderr) == (0, "")
    else:
        assert done.returncode == 2, done.stderr
        assert re.fullmatch(rf"digitd: error: {command} needs \w+: pip install 'digitd\[train\]'\n", done.stderr)

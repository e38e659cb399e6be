"""A running daemon's mode, switched by a signal or a line on its socket."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from tests.conftest import DEMO_DIGITS
from tests.daemon.conftest import COMMAND, Daemon

from digitd import models
from digitd.daemon.audio import Samples
from digitd.daemon.controls import Controls, heeded
from digitd.daemon.events import Ready, Stamp
from digitd.daemon.mode_switch import ModeSwitch
from digitd.daemon.sinks.sink import Surroundings
from digitd.daemon.sinks.unix_socket import UnixSocketSink

Digitd = Callable[..., subprocess.CompletedProcess[Any]]
NINE = (int(4.5 * 16000), int(5.0 * 16000), int(5.6 * 16000))
"""Before, within and after the demo's 9, whose confidence is 0.955."""
QUIET = np.zeros(1600, np.float32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s"


@pytest.fixture
def daemon(path: Path) -> Iterator[Daemon]:
    """Ready, in mode always, with a socket too."""
    daemon = Daemon("--sink", f"unix:{path}", "--log-level", "info")
    assert (daemon.event()["mode"], path.exists()) == ("always", True)
    yield daemon
    daemon.process.kill()
    daemon.process.communicate()


class Reader:
    """One that follows the socket and sends lines."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.socket.settimeout(5)
        self._lines = self.socket.makefile("rb")

    def send(self, *lines: bytes) -> None:
        self.socket.sendall(b"".join(line + b"\n" for line in lines))

    def event(self) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(self._lines.readline())
        return event

    def close(self) -> None:
        self._lines.close()
        self.socket.close()


def test_sigusr1_toggles_at_the_next_block(daemon: Daemon) -> None:
    for seq, mode in enumerate(["entry", "always", "entry"], start=1):
        daemon.process.send_signal(signal.SIGUSR1)
        assert daemon.says_nothing(0.3)  # no block has come
        daemon.feed(QUIET)
        event = daemon.event()
        assert (event["type"], event["mode"], event["seq"], event["model"]) == (
            "ready",
            mode,
            seq,
            models.DEFAULT_MODEL,
        )
    daemon.feed(QUIET)
    rest, log = daemon.finish()
    assert [event["type"] for event in rest] == ["end"]
    assert log.count("INFO: mode ") == 3
    assert "mode entry in place of always" in log


def test_two_toggles_between_blocks_are_none(daemon: Daemon) -> None:
    for _ in range(2):
        daemon.process.send_signal(signal.SIGUSR1)
        time.sleep(0.2)
    daemon.feed(QUIET)
    assert [event["type"] for event in daemon.finish()[0]] == ["end"]


def test_sigusr1_during_the_start_ends_nothing() -> None:
    daemon = Daemon()
    status = Path(f"/proc/{daemon.process.pid}/status")
    until(lambda: ignored(status) & 1 << (signal.SIGUSR1 - 1) != 0, every_s=0.001)  # Python itself has started
    while daemon.says_nothing(0.005):
        daemon.process.send_signal(signal.SIGUSR1)
    assert daemon.event()["type"] == "ready"
    assert daemon.finish()[0][-1]["type"] == "end"


def ignored(status: Path) -> int:
    """The signals that a process ignores, a bit each."""
    return int(next(line for line in status.read_text().splitlines() if line.startswith("SigIgn")).split()[1], 16)


def test_the_handlers_before_are_restored() -> None:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    controls = Controls("always")
    with heeded(controls, reloads=True):
        os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGHUP)
        assert (controls.switch.wanted, controls.stop.is_set(), controls.reload.is_set()) == ("entry", False, True)
    assert [signal.getsignal(number) for number in numbers] == before


def test_a_line_on_the_socket_switches_and_every_reader_knows(daemon: Daemon, path: Path) -> None:
    asks, follows = Reader(path), Reader(path)
    assert [reader.event()["mode"] for reader in (asks, follows)] == ["always", "always"]
    asks.send(b'{"mode":"entry"}')
    time.sleep(0.2)
    daemon.feed(QUIET)
    for told in (asks.event(), follows.event(), daemon.event()):
        assert (told["type"], told["mode"], told["seq"]) == ("ready", "entry", 1)
    late = Reader(path)
    assert late.event()["mode"] == "entry"
    late.send(b'{"mode":"entry"}')  # is on: nothing to tell
    time.sleep(0.2)
    daemon.feed(QUIET)
    assert [event["type"] for event in daemon.finish()[0]] == ["end"]
    for reader in (asks, follows, late):
        assert reader.event()["type"] == "end"
        reader.close()


def test_a_wrong_line_is_answered_to_its_sender_alone(daemon: Daemon, path: Path) -> None:
    asks, follows = Reader(path), Reader(path)
    for reader in (asks, follows):
        reader.event()
    for wrong, value in ((b'{"mode":"entri"}', "'entri'"), (b'{"x":1}', "x: unknown key"), (b"\xff", r"b'\xff'")):
        asks.send(wrong)
        answer = asks.event()
        assert (set(answer), answer["v"], answer["type"]) == ({"v", "type", "message"}, 1, "error")
        assert value in answer["message"]
        assert 'send {"mode":"entry"}, {"mode":"always"} or' in answer["message"]
    asks.socket.sendall(b"x" * 1_000_000)  # a line without an end is answered once ...
    assert "longer than 4096 bytes" in asks.event()["message"]
    asks.send(b"", b'{"mode":"entry"}')  # ... and over when its end comes
    time.sleep(0.2)
    daemon.feed(QUIET)
    for reader in (asks, follows):
        assert reader.event()["mode"] == "entry"
        reader.close()


def test_a_request_of_one_that_sends_nothing_more_counts(daemon: Daemon, path: Path) -> None:
    half = Reader(path)
    assert half.event()["mode"] == "always"
    half.socket.sendall(b'{"mode":"entry"}')  # without a line end
    half.socket.shutdown(socket.SHUT_WR)
    time.sleep(0.2)
    daemon.feed(QUIET)
    assert half.event()["mode"] == "entry"
    half.close()


def test_a_request_of_one_that_leaves_at_once_counts(path: Path) -> None:
    switch = ModeSwitch("always")
    sink = UnixSocketSink(path, Surroundings(Event(), switch))
    sink.publish(Stamp("mic").event(Ready("study64", "cpu", "mic", "always")))
    for mode in ["entry", "always"] * 50:
        reader = Reader(path)
        reader.send(*[b"wrong"] * 10, b'{"mode":"%s"}' % mode.encode())
        reader.close()
        until(lambda mode=mode: switch.wanted == mode)  # type: ignore[misc]
    sink.close()


def test_one_that_reads_no_refusals_is_dropped(path: Path) -> None:
    sink = UnixSocketSink(path, Surroundings(Event(), ModeSwitch("always")))
    reader = Reader(path)
    until(lambda: len(sink._readers) == 1)
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        reader.send(b"\n" * 2_000_000)
    until(lambda: not sink._readers)
    sink.close()
    reader.close()


def until(holds: Callable[[], bool], every_s: float = 0.01) -> None:
    give_up_s = time.monotonic() + 10
    while time.monotonic() < give_up_s:
        if holds():
            return
        time.sleep(every_s)
    raise AssertionError


@pytest.fixture
def bundle_copy(tmp_path: Path) -> Path:
    """The default bundle, with a threshold of mode always that the demo's 9 does not reach."""
    folder, original = tmp_path / "copy", models.MODELS_DIR / "study64"
    folder.mkdir()
    for file in original.iterdir():
        (folder / file.name).symlink_to(file)
    lines = (original / "manifest.toml").read_text().splitlines()
    edited = [next((f"{k} = {v}" for k, v in LIMITS.items() if line.startswith(f"{k} =")), line) for line in lines]
    (folder / "manifest.toml").unlink()
    (folder / "manifest.toml").write_text("\n".join(edited))
    return folder


LIMITS = {"always": 0.97, "entry": 0.5}


@pytest.mark.parametrize(("mode", "first"), [("always", "rejected"), ("entry", "digit")])
def test_an_open_utterance_is_decided_in_the_new_mode(bundle_copy: Path, demo: Samples, mode: str, first: str) -> None:
    before, within, after = NINE
    daemon = Daemon("--model", str(bundle_copy), "--mode", mode)
    assert daemon.event()["mode"] == mode
    daemon.feed(demo[before:after])
    assert daemon.event()["type"] == first
    daemon.feed(demo[before:within])
    time.sleep(0.3)  # the word is taken in so far
    daemon.process.send_signal(signal.SIGUSR1)
    daemon.feed(demo[within:after])
    rest, _ = daemon.finish()
    told = [event["type"] for event in rest if event["type"] != "string"]
    assert told == ["ready", "digit" if first == "rejected" else "rejected", "end"]
    assert rest[0]["mode"] != mode


def test_all_that_is_said_between_switches_is_heard_once(daemon: Daemon, demo: Samples) -> None:
    for piece in np.array_split(demo, 20):
        daemon.process.send_signal(signal.SIGUSR1)
        daemon.feed(piece)
        time.sleep(0.05)
    events, _ = daemon.finish()
    assert "".join(event["digit"] for event in events if event["type"] == "digit") == DEMO_DIGITS
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))


def test_the_mode_command(digitd: Digitd, daemon: Daemon, path: Path) -> None:
    done = digitd("mode", path, "always")  # is on
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    with subprocess.Popen([*COMMAND, "mode", str(path), "entry"], stdout=subprocess.PIPE) as asking:
        while asking.poll() is None:
            daemon.feed(QUIET)
            time.sleep(0.05)
        assert asking.stdout is not None
        assert (asking.returncode, asking.stdout.read()) == (0, b"")
    assert daemon.event()["mode"] == "entry"
    done = digitd("mode", path, "entri")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "'entri' must be one of 'always', 'entry'; did you mean 'entry'?" in done.stderr
    done = digitd("mode", path, "always")  # no block comes
    assert (done.returncode, "mode 'always' is not on after 2 s" in done.stderr) == (2, True)
    done = digitd("mode", path.with_name("none"), "always")
    assert (done.returncode, "nobody answers" in done.stderr) == (2, True)

"""The daemon as a service: reloads, secrets, sockets that are handed over, kills."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import DEMO_DIGITS
from tests.daemon.conftest import COMMAND, Daemon
from tests.daemon.test_notify import Manager

from digitd.daemon.audio import Samples

QUIET = np.zeros(1600, np.float32)


class Reader:
    """One that follows a socket."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10)
        self.socket.connect(str(path))
        self.lines = self.socket.makefile("r", encoding="utf-8")

    def types(self) -> list[str]:
        """Of all events to the end."""
        with self.socket, self.lines:
            return [json.loads(line)["type"] for line in self.lines]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s"


@pytest.fixture
def settings(tmp_path: Path) -> Callable[[str], Path]:
    """Writes the configuration file anew."""

    def write(text: str) -> Path:
        file = tmp_path / "digitd.toml"
        file.write_text(text)
        return file

    return write


Settings = Callable[[str], Path]


@pytest.fixture
def start() -> Iterator[Callable[..., Daemon]]:
    """Starts daemons that are gone afterwards."""
    started = []

    def run(*flags: str, environment: dict[str, str] | None = None) -> Daemon:
        daemon = Daemon(*flags, environment=environment)
        started.append(daemon)
        assert daemon.event()["type"] == "ready"
        return daemon

    yield run
    for daemon in started:
        daemon.close()


Start = Callable[..., Daemon]


def reload(daemon: Daemon) -> None:
    """Ask for a reload and let the daemon take it up."""
    daemon.process.send_signal(signal.SIGHUP)
    time.sleep(0.2)
    daemon.feed(QUIET)


def test_a_reload_changes_what_can_change_and_drops_no_reader(
    start: Start, settings: Settings, path: Path, demo: Samples
) -> None:
    file = settings('log_level = "info"')
    daemon = start("--config", str(file), "--sink", f"unix:{path}")
    reader = Reader(path)
    daemon.feed(demo)
    assert daemon.until(type="string")["digits"] == DEMO_DIGITS
    settings('log_level = "info"\n[string.format]\nlengths = [3]\n[model]\nmode = "entry"')
    reload(daemon)
    assert daemon.event()["mode"] == "entry"
    daemon.feed(demo)
    string = daemon.until(type="string")
    assert (string["heard"], len(string["digits"])) == (DEMO_DIGITS, 3)
    _, log = daemon.finish()
    assert "INFO: reloaded" in log
    types = reader.types()
    assert (types.count("string"), types.count("ready"), types[-1]) == (2, 2, "end")


def test_positions_go_on_after_a_reload(start: Start, settings: Settings, demo: Samples) -> None:
    daemon = start("--config", str(settings("")))
    for end_silence_ms in (700, 650):
        settings(f"[string]\nend_silence_ms = {end_silence_ms}")
        reload(daemon)
        daemon.feed(demo)
        daemon.feed(np.zeros(16000, np.float32))
    events = [*daemon.finish()[0]]
    found = [event["start_s"] for event in events if event["type"] == "digit"]
    n, length_s = len(DEMO_DIGITS), (len(demo) + 17600) / 16000
    assert len(found) == 2 * n
    assert [late - early for early, late in zip(found[:n], found[n:], strict=True)] == pytest.approx(
        [length_s] * n, abs=0.05
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[string]\nend_silence_ms = 'long'", "end_silence_ms: 'long' must be a whole number"),
        ("[strin]", "strin: unknown key; did you mean 'string'?"),
        ("[string.format]\nchecks = 1", "checks: unknown key"),
        ('[string.format]\nlengths = [3]\ncheck = "luhm"', "luhm"),
        ("\x00", "no valid TOML"),
    ],
)
def test_a_broken_file_is_refused_and_the_settings_before_stay(
    start: Start, settings: Settings, demo: Samples, text: str, told: str
) -> None:
    daemon = start("--config", str(settings("")))
    settings(text)
    reload(daemon)
    daemon.feed(demo)
    assert daemon.until(type="string")["digits"] == DEMO_DIGITS
    _, log = daemon.finish()
    assert log.startswith("digitd: ERROR: not reloaded, the settings before stay: ")
    assert told in log


def test_sinks_come_and_go_with_a_reload(settings: Settings, tmp_path: Path, demo: Samples) -> None:
    stays, goes, comes = (tmp_path / name for name in ("stays", "goes", "comes"))
    file = settings(f'sinks = ["unix:{stays}", "unix:{goes}"]')
    command = [*COMMAND, "run", "--config", str(file), "--source", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0) as daemon:
        assert daemon.stdin is not None
        readers = [connected(stays), connected(goes)]
        file.write_text(f'sinks = ["unix:{comes}", "unix:{stays}"]')
        daemon.send_signal(signal.SIGHUP)
        time.sleep(0.2)
        daemon.stdin.write(bytes(3200))
        readers.append(connected(comes))
        daemon.stdin.write(np.round(demo * 32768).astype("<i2").tobytes())
        daemon.stdin.close()
        types = [reader.types() for reader in readers]
    assert types[0] == types[2]  # the one that comes is told the latest `ready`
    assert (types[0].count("digit"), types[0][-1]) == (7, "end")
    assert types[1] == ["ready"]
    assert not any(path.exists() for path in (stays, goes, comes))


def test_a_sink_that_cannot_be_opened_changes_nothing(settings: Settings, path: Path) -> None:
    file = settings(f'sinks = ["unix:{path}"]')
    command = [*COMMAND, "run", "--config", str(file), "--source", "-"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stderr=pipe, bufsize=0) as daemon:
        assert daemon.stdin is not None
        assert daemon.stderr is not None
        reader = connected(path)
        file.write_text(f'sinks = ["unix:{path}-2", "unix:/nowhere/at/all"]')
        daemon.send_signal(signal.SIGHUP)
        time.sleep(0.2)
        daemon.stdin.write(bytes(3200))
        daemon.stdin.close()
        assert reader.types() == ["ready", "end"]
        assert b"/nowhere/at/all: no socket can be made there" in daemon.stderr.read()


def connected(path: Path) -> Reader:
    for _ in range(500):
        if path.exists():
            return Reader(path)
        time.sleep(0.02)
    raise AssertionError(f"{path} does not come")


def test_what_takes_a_restart_is_told(start: Start, settings: Settings) -> None:
    daemon = start("--config", str(settings("")))
    settings('secret = true\n[model]\nname = "study64"\n[source]\nchannels = 2')
    reload(daemon)
    _, log = daemon.finish()
    for name in ("source", "secret", "model"):
        assert f"[{name}] has changed, which takes a restart" in log


def test_the_service_manager_is_told_of_a_reload(start: Start, settings: Settings, tmp_path: Path) -> None:
    manager = Manager(str(tmp_path / "notify"))
    daemon = start("--config", str(settings("")), environment=manager.environment)
    daemon.feed(QUIET)
    assert manager.told() == "READY=1"
    assert manager.told().startswith("STATUS=")
    for text in ("", "broken"):
        settings(text)
        reload(daemon)
        told, stamp = manager.told().splitlines()
        assert (told, stamp.split("=")[0]) == ("RELOADING=1", "MONOTONIC_USEC")
        assert manager.told() == "READY=1"
    daemon.finish()
    manager.socket.close()


def test_without_a_file_a_hangup_ends_it(start: Start) -> None:
    daemon = start()
    daemon.process.send_signal(signal.SIGHUP)
    assert daemon.process.wait(10) == -signal.SIGHUP


def test_secret_digits_are_in_no_log(start: Start, demo: Samples) -> None:
    logs = []
    for secret in ((), ("--secret",)):
        daemon = start("--log-level", "debug", *secret)
        daemon.feed(demo)
        logs.append(daemon.finish()[1])
    assert logs[0].count("DEBUG: digit ") == len(DEMO_DIGITS)
    assert "digit " not in logs[1]


def journal(descriptor: int) -> dict[str, str]:
    """The environment in which a descriptor is the journal's."""
    status = os.fstat(descriptor)
    return {**os.environ, "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}


def test_secret_digits_are_not_written_into_the_journal() -> None:
    reading, writing = os.pipe()
    for flags, expected in ((["--secret"], 2), ([], 0)):
        command = [*COMMAND, "run", "--source", "-", "--sink", "stdout:text", *flags]
        nothing = subprocess.DEVNULL
        done = subprocess.run(
            command,
            stdin=nothing,
            stdout=writing,
            stderr=subprocess.PIPE,
            env=journal(writing),
            text=True,
            check=False,
        )
        assert done.returncode == expected
        assert ("standard output is the journal" in done.stderr) is bool(flags)
    os.close(reading)
    os.close(writing)


def test_the_log_of_the_journal_has_priorities() -> None:
    reading, writing = os.pipe()
    command = [*COMMAND, "run", "--source", "-", "--log-level", "info"]
    subprocess.run(command, stdin=subprocess.DEVNULL, stderr=writing, env=journal(writing), check=True)
    os.close(writing)
    with os.fdopen(reading) as log:
        assert log.read() == "<6>provider 'auto' took cpu\n"


def test_json_logs(settings: Settings, start: Start) -> None:
    file = settings('log_format = "json"')
    daemon = start("--config", str(file))
    daemon.feed(np.zeros(16000 * 11, np.float32))
    (line,) = daemon.finish()[1].splitlines()
    told = json.loads(line)
    assert (told["level"], told["message"], told["at_s"]) == ("warning", "source silent", 10.0)
    assert told["time"].endswith("Z")


def test_a_socket_that_is_handed_over_is_served_and_left(tmp_path: Path, path: Path, demo: Samples) -> None:
    pcm = tmp_path / "pcm"
    pcm.write_bytes(np.round(demo * 32768).astype("<i2").tobytes())
    command = [*COMMAND, "run", "--source", "-", "--sink", f"unix:{path}"]
    with pcm.open("rb") as file:
        manager = subprocess.Popen(["systemd-socket-activate", "-l", str(path), *command], stdin=file)
    reader = connected(path)  # which starts the daemon
    types = reader.types()
    assert types.count("digit") == len(DEMO_DIGITS)
    assert manager.wait(20) == 0
    assert path.exists()  # it is the service manager's


def test_a_socket_that_is_handed_over_for_nothing_is_refused(path: Path) -> None:
    command = ["systemd-socket-activate", "-l", str(path), *COMMAND, "run", "--source", "-"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as manager:
        connected(path).socket.close()
        assert manager.stderr is not None
        log = manager.stderr.read()
    assert manager.returncode == 2
    assert f"the socket {path} was handed over and is no sink; name unix:{path} in sinks" in log


def killed_and_started(start: Start, path: Path, times: int) -> None:
    for _ in range(times):
        daemon = start("--sink", f"unix:{path}")
        reader = Reader(path)
        assert json.loads(reader.lines.readline())["seq"] == 0
        daemon.process.kill()
        daemon.process.communicate()
        assert reader.types() == []
        assert path.exists()  # stale, and no trouble to the next
    daemon = start("--sink", f"unix:{path}", "--log-level", "info")
    assert "stale socket removed" in daemon.finish()[1]
    assert list(path.parent.iterdir()) == []


def test_a_kill_leaves_nothing_in_the_way(start: Start, path: Path) -> None:
    killed_and_started(start, path, times=3)


@pytest.mark.slow
def test_a_hundred_kills(start: Start, path: Path) -> None:
    killed_and_started(start, path, times=100)


def test_who_follows_is_logged(start: Start, path: Path) -> None:
    daemon = start("--sink", f"unix:{path}", "--log-level", "info")
    reader = Reader(path)
    reader.lines.readline()
    log = daemon.finish()[1]
    reader.types()
    assert f"a reader of {path}: pid {os.getpid()}, uid {os.getuid()}, gid {os.getgid()}" in log

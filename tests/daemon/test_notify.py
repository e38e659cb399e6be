"""What systemd is told, read from a real notification socket."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import DEMO
from tests.daemon.conftest import COMMAND, Daemon

from digitd.daemon.audio import Samples
from digitd.daemon.notify import Notifier

QUIET = np.zeros(1600, np.float32)


class Manager:
    """The service manager's end."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.environment = {**os.environ, "NOTIFY_SOCKET": address}

    def told(self, within_s: float = 10.0) -> str:
        """The next message."""
        self.socket.settimeout(within_s)
        return self.socket.recv(4096).decode()

    def told_nothing(self, for_s: float) -> bool:
        self.socket.settimeout(for_s)
        try:
            return not self.socket.recv(4096)
        except TimeoutError:
            return True


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    opened = Manager(str(tmp_path / "notify") if request.param == "path" else f"@digitd-test-{os.getpid()}")
    yield opened
    opened.socket.close()


def test_ready_comes_with_the_first_audio_and_the_watchdog_is_fed_by_audio_alone(manager: Manager) -> None:
    daemon = Daemon(environment={**manager.environment, "WATCHDOG_USEC": "400000"})
    assert daemon.event()["type"] == "ready"  # the model answers
    assert manager.told_nothing(for_s=0.5)  # but nothing is heard
    daemon.feed(QUIET)
    assert manager.told() == "READY=1"
    assert manager.told() == "WATCHDOG=1"
    assert manager.told().startswith("STATUS=hears -, loudest -120 dBFS; mode always")
    assert manager.told_nothing(for_s=0.5)  # it is deaf: nothing feeds the watchdog
    daemon.feed(QUIET)
    assert manager.told() == "WATCHDOG=1"
    daemon.feed(QUIET)  # sooner than a quarter of the watchdog's time
    daemon.finish()
    assert manager.told() == "STOPPING=1"


def test_a_watchdog_that_is_another_processes_is_not_fed(manager: Manager) -> None:
    environment = {"NOTIFY_SOCKET": manager.environment["NOTIFY_SOCKET"], "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}
    notifier = Notifier(environment)
    assert environment == {}  # nor may a child feed it
    for _ in range(3):
        notifier.hear()
    assert manager.told() == "READY=1"
    assert manager.told_nothing(for_s=0.1)
    notifier.close()


def test_without_a_manager_nothing_is_told() -> None:
    notifier = Notifier({})
    notifier.hear()
    notifier.stopping()
    assert not notifier.status_due()


def test_a_manager_that_is_gone_does_not_end_the_recognition(manager: Manager) -> None:
    manager.socket.close()
    done = subprocess.run(
        [*COMMAND, "run", "--source", str(DEMO)],
        env=manager.environment,
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    assert done.stdout.split() == list("3141592")
    assert "the service manager was not told 'READY=1'" in done.stderr


def test_a_file_that_is_fed_fast_tells_ready_once(manager: Manager, demo: Samples) -> None:
    subprocess.run([*COMMAND, "run", "--source", str(DEMO)], env=manager.environment, capture_output=True, check=True)
    told = [manager.told() for _ in range(3)]
    assert [message.split("=")[0] for message in told] == ["READY", "STATUS", "STOPPING"]
    assert manager.told_nothing(for_s=0.1)
    assert float(told[1].split("loudest ")[1].split(" dBFS")[0]) == pytest.approx(
        20 * np.log10(np.abs(demo[:16000]).max()), abs=1
    )


def test_the_status_is_due_now_and_then(manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digitd.daemon.notify.STATUS_EVERY_S", 0.05)
    notifier = Notifier(manager.environment)
    assert notifier.status_due()
    notifier.status("hears mic")
    assert not notifier.status_due()
    time.sleep(0.06)
    assert notifier.status_due()
    assert manager.told() == "STATUS=hears mic"
    notifier.close()

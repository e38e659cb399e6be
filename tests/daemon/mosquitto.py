"""A real broker with a configuration of its own, and readers that are sent everything once they are back."""

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

WITHIN_S = 30.0
ALWAYS = [
    "persistence true",
    "autosave_interval 1",
    "max_queued_messages 0",
    "max_inflight_messages 20",
    "log_type all",
]
LISTENING = ["allow_anonymous true"]


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(condition: Callable[[], object], within_s: float = WITHIN_S) -> None:
    """Wait until it holds."""
    until_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < until_s, "it never came"
        time.sleep(0.01)


class Mosquitto:
    """The broker. `lines` are those of its configuration beside its port and its database."""

    def __init__(self, folder: Path, *lines: str) -> None:
        self.port, self._folder = free_port(), folder
        self._config = folder / "mosquitto.conf"
        own = [f"persistence_location {folder}/", f"listener {self.port} 127.0.0.1"]
        user = ["user root"] * (os.geteuid() == 0)
        self._config.write_text("\n".join([*ALWAYS, *user, *own, *(lines or LISTENING)]) + "\n")
        self._log = (folder / "mosquitto.log").open("ab")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Mosquitto":
        """Start it."""
        command = ["mosquitto", "-c", str(self._config)]
        self.process = subprocess.Popen(command, stdout=self._log, stderr=self._log)
        until(self._answers)
        return self

    @property
    def log(self) -> str:
        """All that it has logged."""
        return (self._folder / "mosquitto.log").read_text()

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self) -> None:
        """End it; it writes its database."""
        if self.process is not None:
            self.send(signal.SIGCONT)
            self.process.terminate()
            self.process.wait(WITHIN_S)

    def restart(self) -> None:
        """Stop it and start it again."""
        self.stop()
        self.start()

    def close(self) -> None:
        """End it for good."""
        self.stop()
        self._log.close()


class Subscriber:
    """`mosquitto_sub`, which the broker keeps messages for while either of them is away."""

    def __init__(self, port: int, topic: str, *flags: str, name: str = "reader", keeps: bool = True) -> None:
        own = ["-c", "-i", name] if keeps else []
        shown = ["-F", "%r\t%t\t%p"]
        command = ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(port), "-q", "2", *own, *shown, "-t", topic, *flags]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.came: list[tuple[bool, str, str]] = []
        """(retained, topic, payload) of each."""
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            retained, topic, payload = line.rstrip("\n").split("\t", 2)
            self.came.append((retained == "1", topic, payload))

    def close(self) -> None:
        """End it."""
        self.process.terminate()
        self._thread.join()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process.wait()

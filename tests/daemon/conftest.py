"""What the tests of the running daemon share: a real PulseAudio, and the daemon as a process."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from digitd.daemon.audio import Samples

COMMAND = [sys.executable, "-m", "digitd"]
FORMAT = ["--rate=16000", "--channels=1", "--format=s16le"]
NULL_SINK = "module-null-sink sink_name=fakemic rate=16000 channels=1 format=s16le"


class Pulse:
    """A private PulseAudio whose only microphone is the monitor of a null sink."""

    def __init__(self, folder: Path) -> None:
        folder.chmod(0o700)
        self._socket = folder / "native"
        self.environment = {
            **os.environ,
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
            "PULSE_RUNTIME_PATH": str(folder),
            "PULSE_SERVER": f"unix:{self._socket}",
            "PULSE_LATENCY_MSEC": "20",
        }
        self.start()

    def start(self) -> None:
        """Start it, and a reader that keeps the microphone awake: without it, audio comes up to 1.8 s late."""
        self.server = self._started(
            ["pulseaudio", "--exit-idle-time=-1", "-n", "-L", "module-native-protocol-unix", "-L", NULL_SINK]
        )
        while not self._socket.exists():
            time.sleep(0.02)
        self._reader = self._started(["parec", "--latency-msec=20", *FORMAT, "-d", "fakemic.monitor"])

    def kill(self) -> None:
        """Take it away."""
        for process in (self.server, self._reader):
            process.kill()
            process.wait()
        self._socket.unlink(missing_ok=True)

    def play(self, recording: Path) -> None:
        """Play into the microphone, to the end."""
        environment = {**self.environment, "PULSE_LATENCY_MSEC": "200"}
        subprocess.run(["paplay", "-d", "fakemic", str(recording)], env=environment, check=True, timeout=60)

    def _started(self, command: list[str]) -> subprocess.Popen[bytes]:
        nowhere = subprocess.DEVNULL
        return subprocess.Popen(command, env=self.environment, stdout=nowhere, stderr=nowhere)


@pytest.fixture
def pulse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pulse]:
    """A PulseAudio that is up and steady."""
    server = Pulse(tmp_path_factory.mktemp("pulse"))
    time.sleep(2.5)
    yield server
    server.server.send_signal(signal.SIGCONT)
    server.kill()


class Daemon:
    """`digitd run`, its events on standard output, its log on standard error."""

    def __init__(self, *flags: str, source: str = "-", environment: dict[str, str] | None = None) -> None:
        command = [*COMMAND, "run", "--source", source, "--sink", "stdout:jsonl", *flags]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0, env=environment)

    def feed(self, samples: Samples) -> None:
        """Send samples where the source is a pipe."""
        assert self.process.stdin is not None
        self.process.stdin.write(np.round(samples * 32768).astype("<i2").tobytes())

    def event(self, within_s: float = 20.0) -> dict[str, Any]:
        """The next event."""
        assert self.process.stdout is not None
        assert select.select([self.process.stdout], [], [], within_s)[0], "no event came"
        event: dict[str, Any] = json.loads(self.process.stdout.readline())
        return event

    def until(self, **wanted: object) -> dict[str, Any]:
        """The next event that has these values; those before it are passed over."""
        while True:
            event = self.event()
            if wanted.items() <= event.items():
                return event

    def says_nothing(self, for_s: float) -> bool:
        """Whether no event comes."""
        assert self.process.stdout is not None
        return not select.select([self.process.stdout], [], [], for_s)[0]

    def children(self) -> list[int]:
        """Its child processes."""
        return [
            int(pid) for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        ]

    def stop(self) -> tuple[list[dict[str, Any]], str]:
        """End it by SIGTERM; what is left of its events and all of its log."""
        self.process.terminate()
        return self.finish()

    def finish(self) -> tuple[list[dict[str, Any]], str]:
        """What is left of its events and all of its log."""
        output, log = self.process.communicate(timeout=20)
        assert self.process.returncode == 0, log
        return [json.loads(line) for line in output.splitlines()], log.decode()

    def close(self) -> None:
        """Kill it if it still runs."""
        self.process.kill()
        self.process.communicate()

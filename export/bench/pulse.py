"""A private PulseAudio whose only microphone is the monitor of a null sink: a microphone's path without hardware."""

import os
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from digitd.daemon.errors import MicrophoneError

SINK = "module-null-sink sink_name=room rate=16000 channels=1 format=s16le"
FORMAT = ("--raw", "--rate=16000", "--channels=1", "--format=s16le")
STARTED_WITHIN_S = 20.0


class Pulse:
    """It runs within a `with`; `environment` is for those that are to hear through it.

    Raises:
        MicrophoneError: it does not start.
    """

    def __init__(self, folder: Path) -> None:
        folder.chmod(0o700)
        self._folder, self._socket = folder, folder / "native"
        self._processes: list[subprocess.Popen[bytes]] = []
        self.environment = {
            **os.environ,
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
            "PULSE_RUNTIME_PATH": str(folder),
            "PULSE_SERVER": f"unix:{self._socket}",
            "PULSE_LATENCY_MSEC": "20",
        }

    def __enter__(self) -> Self:
        server = ["pulseaudio", "--exit-idle-time=-1", "-n", "-L", "module-native-protocol-unix", "-L", SINK]
        self._start(server)
        until_s = time.monotonic() + STARTED_WITHIN_S
        while not self._socket.exists():
            if time.monotonic() > until_s or self._processes[0].poll() is not None:
                self.__exit__(None, None, None)
                raise MicrophoneError("pulseaudio does not start; run it by hand, or leave `idle` out with --only")
            time.sleep(0.02)
        # A reader keeps the microphone awake: without one, the first sound comes up to 1.8 s late.
        self._start(["parec", "--latency-msec=20", *FORMAT, "-d", "room.monitor"])
        return self

    def hear_noise(self, pcm: bytes) -> None:
        """Play s16le at 16 kHz into the microphone, over and over, until the end."""
        path = self._folder / "noise"
        path.write_bytes(pcm)
        command = f'while :; do cat "{path}"; done | pacat -d room {" ".join(FORMAT)} --latency-msec=200'
        self._start(["sh", "-c", command])

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for process in reversed(self._processes):
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()

    def _start(self, command: list[str]) -> None:
        nowhere = subprocess.DEVNULL
        started = subprocess.Popen(
            command, env=self.environment, stdout=nowhere, stderr=nowhere, start_new_session=True
        )
        self._processes.append(started)

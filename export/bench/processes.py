"""A whole `digitd run`, from outside: speed on one core, start, memory."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from digitd.daemon.errors import DigitdError
from digitd.export.bench import usage
from digitd.export.bench.machine import pinned
from digitd.export.bench.part import Part
from digitd.export.bench.plan import Plan
from digitd.export.bench.spread import Spread
from digitd.export.bench.takes import Takes

JSONL = ("--sink", "stdout:jsonl")


@contextmanager
def running(command: list[str], core: int, **options: Any) -> "Iterator[subprocess.Popen[bytes]]":
    """A daemon on one core; it is ended afterwards where it has not ended by itself."""
    with pinned(core):
        process = subprocess.Popen(command, **options)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate()


def ended_well(process: "subprocess.Popen[bytes]") -> None:
    """Wait for the end.

    Raises:
        DigitdError: the daemon did not end by itself with status 0.
    """
    if status := process.wait():
        raise DigitdError(f"`digitd run` ended with status {status}; what it said is above")


def heard_to_the_end(plan: Plan, recording: Path) -> tuple[float, float, float]:
    """Seconds from a process's start to its `ready` line, to its end, and of processor time."""
    command = plan.run(recording, *JSONL)
    began_s, before = time.perf_counter(), _children_s()
    with running(command, plan.core, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None  # noqa: S101 - it was asked for
        process.stdout.readline()
        ready_s = time.perf_counter() - began_s
        while process.stdout.read(65536):
            pass
        ended_well(process)
        whole_s = time.perf_counter() - began_s
    return ready_s, whole_s, _children_s() - before


def _children_s() -> float:
    import resource

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def resident_mb(plan: Plan, takes: Takes) -> float:
    """Of a daemon that has heard continuous speech, and waits for more."""
    pcm = (takes.continuous.samples * 32767).astype("<i2").tobytes()
    command = plan.run("-", *JSONL)
    with running(command, plan.core, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        assert process.stdin is not None  # noqa: S101 - it was asked for
        process.stdin.write(pcm)
        process.stdin.flush()
        _until_idle(process.pid)
        return usage.resident_mb(process.pid)


def _until_idle(pid: int, within_s: float = 60.0) -> None:
    """Until a process takes no processor time any more."""
    until_s, before_s = time.monotonic() + within_s, -1.0
    while time.monotonic() < until_s:
        taken_s = usage.cpu_s(pid)
        if taken_s == before_s:
            return
        before_s = taken_s
        time.sleep(0.2)


def measure(plan: Plan, takes: Takes) -> Part:
    """Each figure over several processes."""
    runs = [heard_to_the_end(plan, takes.long) for _ in range(plan.runs)]
    ready = Spread.of(ready_s for ready_s, _, _ in runs)
    wall = Spread.of(takes.long_s / whole_s for _, whole_s, _ in runs)
    cpu = Spread.of(takes.long_s / taken_s for _, _, taken_s in runs)
    memory = Spread.of(resident_mb(plan, takes) for _ in range(min(3, plan.runs)))
    return Part(
        "The whole process, `digitd run --source FILE`, on one core",
        ("what", "median (lowest-highest)"),
        (
            (f"times real time, {takes.long_s:,.0f} s, by the clock", wall.text(".0f")),
            ("times real time, by processor time", cpu.text(".0f")),
            ("start to ready, s", ready.text()),
            ("resident memory after a minute of speech, MB", memory.text(".1f")),
        ),
        {
            "audio_s": takes.long_s,
            "times_real_time": wall.table(),
            "times_real_time_cpu": cpu.table(),
            "ready_s": ready.table(),
            "resident_mb": memory.table(),
        },
    )

"""Many live streams of continuous speech in one daemon on one core: how late events come, up to what it refuses."""

import resource
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from digitd.daemon.errors import DigitdError
from digitd.export.bench import usage
from digitd.export.bench.line import PIECE_S
from digitd.export.bench.load import Load
from digitd.export.bench.machine import pinned
from digitd.export.bench.part import Part
from digitd.export.bench.plan import Plan
from digitd.export.bench.processes import running
from digitd.export.bench.scoring import pcm16
from digitd.export.bench.spread import quantiles
from digitd.export.bench.takes import Takes

NUMBERS = (1, 10, 25, 50, 75, 100, 150, 200, 250, 300, 400, 500, 600, 800, 1000, 1300, 1600, 2000)
SETTLED_S = 3.0
LONGEST_S, SHORTEST_S = 45.0, 8.0
EVENTS_WANTED = 300
"""So many are waited for, within these lengths: of one stream few come."""
OPEN_WITHIN_S = 20.0
LATER_BY_MS = 50.0
"""A stream among many may be later than alone by so much."""


def measure(plan: Plan, takes: Takes) -> Part:
    """The curve: the daemon on one core, its load on another."""
    with tempfile.TemporaryDirectory(prefix="digitd-") as folder, _many_files(), pinned(plan.driving_core):
        path = Path(folder) / "streams"
        command = plan.run(f"unix:{path}", "--sink", "stdout:jsonl")
        with running(command, plan.core, stdout=subprocess.DEVNULL) as daemon:
            _wait_until_open(path, daemon)
            load = Load(path, pcm16(takes.continuous.samples))
            try:
                curve = list(_curve(load, daemon.pid, plan.most_streams))
            finally:
                load.close()
    figures = _figures(curve, load)
    return Part(
        "Live streams of continuous speech in one daemon on one core",
        ("streams", "events", "p50 ms", "p99 ms", "% of the core", "the load's own lateness p99 ms"),
        tuple(map(_row, curve)),
        figures,
        (
            f"Pieces of {1000 * PIECE_S:.0f} ms, staggered. Latency: from the last sample needed to the event's line.",
            f"p99 within {LATER_BY_MS:g} ms of one stream alone: {figures['streams_within']} streams.",
            f"Refused: {load.refusal}" if load.refusal else "None was refused up to there.",
        ),
    )


def _curve(load: Load, pid: int, most: int) -> Iterator[dict[str, Any]]:
    """A point for each number of streams, until one is refused or falls behind."""
    measured = 0
    for number in NUMBERS:
        if number > most:
            return
        load.grow(number)
        if load.n_streams == measured:
            return
        measured = load.n_streams
        load.go_on(SETTLED_S)
        point = _point(load, pid)
        if point:
            yield point
        if load.refusal or load.jammed:
            return


def _point(load: Load, pid: int) -> dict[str, Any]:
    """What so many streams give; nothing where no event came."""
    load.taken_delays_s()
    load.late_s.clear()
    n_streams, delays_s = load.n_streams, list[float]()
    before_s, began_s = usage.cpu_s(pid), time.monotonic()
    while time.monotonic() - began_s < LONGEST_S and not load.jammed:
        if len(delays_s) >= EVENTS_WANTED and time.monotonic() - began_s >= SHORTEST_S:
            break
        load.go_on(1.0)
        delays_s += load.taken_delays_s()
    length_s = time.monotonic() - began_s
    if not delays_s:
        return {}
    return {
        "streams": n_streams,
        "events": len(delays_s),
        "latency_ms": quantiles((1000 * delay_s for delay_s in delays_s), 50, 99),
        "core_percent": 100 * (usage.cpu_s(pid) - before_s) / length_s,
        "load_late_p99_ms": 1000 * float(np.percentile(load.late_s, 99)),
        "jammed": load.jammed,
    }


def _figures(curve: list[dict[str, Any]], load: Load) -> dict[str, Any]:
    if not curve:
        raise DigitdError("no event came of one stream of continuous speech; see what the daemon said above")
    allowed_ms = curve[0]["latency_ms"]["p99"] + LATER_BY_MS
    within = [point["streams"] for point in curve if point["latency_ms"]["p99"] <= allowed_ms and not point["jammed"]]
    return {"curve": curve, "streams_within": max(within, default=0), "refusal": load.refusal}


def _row(point: dict[str, Any]) -> tuple[str, ...]:
    return (
        f"{point['streams']}{' (falls behind)' if point['jammed'] else ''}",
        f"{point['events']:,}",
        f"{point['latency_ms']['p50']:.1f}",
        f"{point['latency_ms']['p99']:.1f}",
        f"{point['core_percent']:.0f}",
        f"{point['load_late_p99_ms']:.1f}",
    )


def _wait_until_open(path: Path, daemon: "subprocess.Popen[bytes]") -> None:
    until_s = time.monotonic() + OPEN_WITHIN_S
    while not path.exists():
        if daemon.poll() is not None or time.monotonic() > until_s:
            raise DigitdError(f"`digitd run --source unix:{path}` did not open its socket; what it said is above")
        time.sleep(0.02)


@contextmanager
def _many_files() -> Iterator[None]:
    """As many files as this user may have open: a connection is one on either side."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)

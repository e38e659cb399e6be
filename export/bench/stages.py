"""Where the time goes: each stage of the pipeline, fed live by 40 ms and at once by whole blocks of a file."""

import os
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from pathlib import Path
from threading import Event as Flag
from typing import Any

import numpy as np

from digitd.daemon import bundle
from digitd.daemon.audio import Block, Intake
from digitd.daemon.controls import Controls
from digitd.daemon.events import Body, Stamp
from digitd.daemon.front_end import FrontEnd
from digitd.daemon.listener import Network, open_network
from digitd.daemon.outlets import Outlets
from digitd.daemon.pipeline import Pipeline, PipelineConfig
from digitd.daemon.session import Session
from digitd.daemon.signal_watch import SignalWatch
from digitd.daemon.sinks.sink import HookConfig, SocketConfig, Surroundings
from digitd.daemon.sources.capture import CHUNK_MS
from digitd.daemon.sources.recording import RecordingSource
from digitd.daemon.stream_features import MelStream
from digitd.daemon.stream_listener import StreamListener
from digitd.daemon.string_decoder import StringDecoder
from digitd.export.bench.machine import pinned
from digitd.export.bench.part import Part
from digitd.export.bench.plan import Plan
from digitd.export.bench.spread import Spread, quantiles
from digitd.export.bench.stopwatch import OUTSIDE, Probe, Stopwatch, probed
from digitd.export.bench.takes import Takes

PROBES = (
    Probe(RecordingSource, "blocks", "read"),
    Probe(Intake, "push", "resample, cut"),
    Probe(Intake, "finish", "resample, cut"),
    Probe(SignalWatch, "push", "resample, cut"),
    Probe(FrontEnd, "push", "speech detector"),
    Probe(FrontEnd, "finish", "speech detector"),
    Probe(MelStream, "push", "features"),
    Probe(MelStream, "push_together", "features"),
    Probe(Session, "run", "network"),
    Probe(StreamListener, "push", "decoder"),
    Probe(StreamListener, "finish", "decoder"),
    Probe(StringDecoder, "add", "strings"),
    Probe(StringDecoder, "advance", "strings"),
    Probe(StringDecoder, "consider", "strings"),
    Probe(StringDecoder, "finish", "strings"),
    Probe(Pipeline, "push", "pipeline itself"),
    Probe(Pipeline, "finish", "pipeline itself"),
    Probe(Outlets, "publish", "sinks"),
    Probe(Stamp, "event", "sinks"),
)
"""Of a bundle that hears a stream; what is called within another stage belongs to the inner one."""
STAGES = tuple(dict.fromkeys(probe.stage for probe in PROBES))
FEEDS = {"live": CHUNK_MS / 1000, "at once": 1.0}
"""Way of feeding -> seconds of a push."""


@contextmanager
def outlets() -> Iterator[Outlets]:
    """`stdout:jsonl` as the daemon has it, into nowhere."""
    controls = Controls("always")
    with ExitStack() as stack:
        stack.enter_context(redirect_stdout(stack.enter_context(Path(os.devnull).open("w"))))
        around = Surroundings(
            stop=controls.stop,
            switch=controls.switch,
            live=False,
            secret=False,
            socket_config=SocketConfig(),
            hook_config=HookConfig(),
            handed_over={},
            count_dropped=lambda _what, _n: None,
        )
        opened = Outlets(["stdout:jsonl"], around)
        stack.callback(opened.close)
        yield opened


def blocks(path: Path, push_s: float) -> Iterator[Block]:
    """A recording, so many seconds at a time."""
    source = RecordingSource(path)
    try:
        length = round(push_s * source.rate_hz)
        for block in source.blocks(Flag()):
            for begin in range(0, len(block.frames), length):
                yield Block(block.frames[begin : begin + length])
    finally:
        source.close()


def hear(network: Network, plan: Plan, path: Path, push_s: float) -> Iterator[int]:
    """Hear a recording as the daemon does, to its sinks; yields after each push how many events came."""
    source = RecordingSource(path)
    source.close()
    pipeline, stamp = Pipeline(network, plan.mode, source.rate_hz, PipelineConfig()), Stamp(path.name)
    with outlets() as opened:

        def publish(bodies: Iterator[Body]) -> int:
            n_events = 0
            for body in bodies:
                opened.publish(stamp.event(body))
                n_events += 1
            return n_events

        for block in blocks(path, push_s):
            yield publish(pipeline.push(block))
        yield publish(pipeline.finish())


def all_heard(network: Network, plan: Plan, files: Sequence[Path], push_s: float) -> int:
    """Hear recordings to their end; how many events came."""
    return sum(n_events for path in files for n_events in hear(network, plan, path, push_s))


def times_real_time(network: Network, plan: Plan, takes: Takes, push_s: float) -> Spread:
    """Of the pipeline in this process, by processor time, nothing timed within."""
    return Spread.of(takes.continuous.length_s / _cpu_s(network, plan, takes, push_s) for _ in range(plan.runs))


def _cpu_s(network: Network, plan: Plan, takes: Takes, push_s: float) -> float:
    began_s = time.process_time()
    all_heard(network, plan, takes.files, push_s)
    return time.process_time() - began_s


def laps_us(network: Network, plan: Plan, files: Sequence[Path], push_s: float) -> list[dict[str, float]]:
    """Microseconds of each stage, a push."""
    laps: list[dict[str, float]] = []
    stopwatch = Stopwatch()
    with probed(PROBES, stopwatch):
        for path in files:
            stopwatch.lap_ns()
            laps += [_lap_us(stopwatch) for _ in hear(network, plan, path, push_s)]
    return laps


def _lap_us(stopwatch: Stopwatch) -> dict[str, float]:
    return {stage: spent_ns / 1000 for stage, spent_ns in stopwatch.lap_ns().items() if stage != OUTSIDE}


def measure(plan: Plan, takes: Takes) -> Part:
    """Both ways of feeding, on one core."""
    figures: dict[str, Any] = {}
    rows: list[tuple[str, ...]] = []
    with pinned(plan.core):
        network = open_network(bundle.load(plan.model), "cpu")
        for feed, push_s in FEEDS.items():
            speed = times_real_time(network, plan, takes, push_s)
            laps = [lap for _ in range(plan.runs) for lap in laps_us(network, plan, takes.files, push_s)]
            found = _summary(laps, push_s)
            figures[feed] = {"push_s": push_s, "stages": found, "times_real_time": speed.table()}
            rows += _rows(feed, found)
            rows.append((f"{feed}: times real time, one core", "", "", "", speed.text(".0f")))
    timing = _cost_of_timing(figures["live"])
    return Part(
        "Stages of the pipeline, in one process on one core",
        ("stage", "p50 us a push", "p99 us a push", "share of the time", "us a second of sound"),
        tuple(rows),
        figures,
        (
            f"Processor time. A push is {CHUNK_MS} ms live or 1 s at once; moments belong to the innermost stage.",
            f"To be timed costs {timing:.0%} of the live time, which is in the stages and not in the times real time.",
        ),
    )


def _summary(laps: Sequence[dict[str, float]], push_s: float) -> dict[str, dict[str, float]]:
    spent: dict[str, list[float]] = defaultdict(list)
    for lap in laps:
        for stage in STAGES:
            spent[stage].append(lap.get(stage, 0.0))
    whole_us = sum(map(sum, spent.values()))
    summary = {stage: quantiles(each, 50, 99) | _shares(each, whole_us, push_s) for stage, each in spent.items()}
    whole = np.sum([spent[stage] for stage in STAGES], axis=0).tolist()
    return summary | {"all": quantiles(whole, 50, 99) | _shares(whole, whole_us, push_s)}


def _shares(each_us: Sequence[float], whole_us: float, push_s: float) -> dict[str, float]:
    return {"share": sum(each_us) / whole_us, "us_per_audio_s": sum(each_us) / len(each_us) / push_s}


def _rows(feed: str, found: dict[str, dict[str, float]]) -> list[tuple[str, ...]]:
    return [
        (
            f"{feed}: {stage}",
            f"{of['p50']:,.1f}",
            f"{of['p99']:,.1f}",
            f"{of['share']:.1%}",
            f"{of['us_per_audio_s']:,.0f}",
        )
        for stage, of in found.items()
    ]


def _cost_of_timing(live: dict[str, Any]) -> float:
    """How much longer it took with the stopwatch than without."""
    with_us, without_us = live["stages"]["all"]["us_per_audio_s"], 1e6 / live["times_real_time"]["median"]
    return max(0.0, float(with_us / without_us - 1))

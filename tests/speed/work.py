"""The work of each stage for a second of sound, counted and not timed: no machine's speed is in it.

`python -m tests.speed.work` writes the counts of the present code into work.json, which the guard compares with.
"""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from tests.conftest import DEMO

from digitd.daemon.audio import Samples
from digitd.daemon.listener import Network
from digitd.daemon.spotter import Spotter
from digitd.export.bench import arithmetic, limits, stages
from digitd.export.bench.plan import Plan
from digitd.export.bench.stages import FEEDS, PROBES, STAGES
from digitd.export.bench.steps import Steps
from digitd.export.bench.stopwatch import probed

KNOWN = Path(__file__).with_name("work.json")
HEARD_S = 7.0
"""Of the demo."""


def demo() -> Samples:
    """float32 [n_samples] at 16 kHz, of HEARD_S."""
    samples, rate_hz = soundfile.read(DEMO, dtype="float32")
    return np.asarray(samples[: int(HEARD_S * rate_hz)], np.float32)


def steps(network: Network, push_s: float) -> dict[str, float]:
    """Steps of Python a second of sound, by stage."""
    plan = Plan(network.bundle.manifest.name)
    stages.all_heard(network, plan, [DEMO], push_s)  # what is done once in a process is done
    counted = Steps()
    with probed(PROBES, counted), counted.counting():
        stages.all_heard(network, plan, [DEMO], push_s)
    return {stage: round(counted.counted.get(stage, 0) / HEARD_S, 1) for stage in STAGES}


def network_work(network: Network, push_s: float) -> dict[str, float]:
    """Calls of the network, and its multiply-adds, a second of sound."""
    with limits.calls_of_network() as calls:
        stages.all_heard(network, Plan(network.bundle.manifest.name), [DEMO], push_s)
    shape = network.bundle.manifest.graph.input
    added = {
        size: sum(arithmetic.of(network.bundle.graph_path, feeds).multiply_adds for feeds in itertools.islice(alike, 1))
        for size, alike in itertools.groupby(
            sorted((feeds for _, feeds in calls), key=lambda feeds: feeds[shape].shape),
            key=lambda feeds: feeds[shape].shape,
        )
    }
    return {
        "calls": round(len(calls) / HEARD_S, 1),
        "multiply-adds": round(sum(added[feeds[shape].shape] for _, feeds in calls) / HEARD_S),
    }


def counted(spotter: Spotter) -> dict[str, Any]:
    """Of a network, by way of feeding."""
    return {
        feed: {"steps": steps(spotter, push_s), "network": network_work(spotter, push_s)}
        for feed, push_s in FEEDS.items()
    }


def known() -> dict[str, Any]:
    """As it was when it was last agreed on, by name of the bundle."""
    found: dict[str, Any] = json.loads(KNOWN.read_text())
    return found


def main() -> None:
    """Write what the present code takes."""
    from digitd.daemon import bundle
    from digitd.models import DEFAULT_MODEL

    found = {name: counted(Spotter(bundle.load(name), "cpu")) for name in (DEFAULT_MODEL, "connected")}
    KNOWN.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()

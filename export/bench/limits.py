"""What the time is spent on at bottom: native calls, played again by themselves, and what Python adds around them."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import webrtcvad
from numpy.typing import NDArray

from digitd.daemon import bundle
from digitd.daemon.listener import Network, open_network
from digitd.daemon.session import Session, open_session
from digitd.daemon.stream_features import MelStream, StreamSpec
from digitd.daemon.vad import FRAME_MS
from digitd.export.bench import arithmetic, peak, stages
from digitd.export.bench.arithmetic import Arithmetic
from digitd.export.bench.machine import pinned
from digitd.export.bench.part import Part
from digitd.export.bench.plan import Plan
from digitd.export.bench.scoring import pcm16
from digitd.export.bench.takes import RATE_HZ, Takes

VAD_MODE = 2
PLAYED = 3
"""Each replay so often; the quickest counts."""

Call = tuple[list[str], dict[str, NDArray[np.float32]]]
"""Names of the outputs, and the inputs."""


@contextmanager
def calls_of_network() -> Iterator[list[Call]]:
    """All calls while it lasts."""
    calls: list[Call] = []
    original = Session.run

    def run(session: Session, outputs: list[str], feeds: dict[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        calls.append((outputs, feeds))
        return original(session, outputs, feeds)

    setattr(Session, "run", run)  # noqa: B010 - mypy minds an assignment
    try:
        yield calls
    finally:
        setattr(Session, "run", original)  # noqa: B010


def quickest_us(work: Callable[[], object]) -> float:
    """Processor time of the quickest of PLAYED runs."""
    took_s = []
    for _ in range(PLAYED):
        began_s = time.process_time()
        work()
        took_s.append(time.process_time() - began_s)
    return 1e6 * min(took_s)


def network_us(network: Network, calls: Sequence[Call]) -> float:
    """ONNX Runtime alone."""
    session = open_session(network.bundle.graph_path, "cpu")
    return quickest_us(lambda: [session.run(outputs, feeds) for outputs, feeds in calls])


def detector_us(takes: Takes) -> float:
    """WebRTC's C code alone."""
    vad, length = webrtcvad.Vad(VAD_MODE), 2 * RATE_HZ * FRAME_MS // 1000
    pcm = pcm16(takes.continuous.samples)
    frames = [pcm[begin : begin + length] for begin in range(0, len(pcm) - length + 1, length)]
    return quickest_us(lambda: [vad.is_speech(frame, RATE_HZ) for frame in frames])


def features_us(spec: StreamSpec, takes: Takes, frames_a_call: Sequence[int]) -> float:
    """The features alone, so many frames a call: numpy's transforms and products."""
    pieces = [takes.continuous.samples[: n * spec.hop_samples] for n in frames_a_call]

    def work() -> None:
        mel = MelStream(spec)
        for piece in pieces:
            MelStream.push_together([mel], [piece])

    return quickest_us(work)


def multiply_us(network: Network, calls: Sequence[Call], gflops: float) -> float:
    """What the multiply-adds of all calls would take at the core's peak."""
    counted: dict[tuple[int, ...], Arithmetic] = {}
    for _, feeds in calls:
        shape = _frames(network, feeds).shape
        if shape not in counted:
            counted[shape] = arithmetic.of(network.bundle.graph_path, feeds)
    return sum(2e-3 * counted[_frames(network, feeds).shape].multiply_adds / gflops for _, feeds in calls)


def _frames(network: Network, feeds: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    return feeds[network.bundle.manifest.graph.input]


def found(network: Network, plan: Plan, takes: Takes, push_s: float, gflops: float) -> dict[str, float]:
    """Microseconds a second of sound, of each kind of work."""
    spec = network.bundle.manifest.stream
    assert spec is not None  # noqa: S101 - `measure` is of bundles that hear streams
    with calls_of_network() as calls:
        whole_us = quickest_us(lambda: stages.all_heard(network, plan, takes.files, push_s)) / takes.continuous.length_s
        del calls[: len(calls) // PLAYED * (PLAYED - 1)]
    audio_s = takes.continuous.length_s
    multiply = multiply_us(network, calls, gflops) / audio_s
    parts = {
        "the network's multiply-adds, at the core's peak": multiply,
        "the network, what else ONNX Runtime does": network_us(network, calls) / audio_s - multiply,
        "WebRTC's C code": detector_us(takes) / audio_s,
        "features by numpy": features_us(spec, takes, [_n_frames(network, each) for _, each in calls]) / audio_s,
    }
    return parts | {"Python, and numpy's many small calls": whole_us - sum(parts.values()), "all": whole_us}


def _n_frames(network: Network, feeds: dict[str, NDArray[np.float32]]) -> int:
    shape = _frames(network, feeds).shape
    return int(shape[0] * shape[1])


def measure(plan: Plan, takes: Takes) -> Part:
    """Both ways of feeding."""
    figures: dict[str, Any] = {}
    with pinned(plan.core):
        network = open_network(bundle.load(plan.model), "cpu")
        gflops = peak.measured()["gflops"]
        for feed, push_s in stages.FEEDS.items():
            figures[feed] = found(network, plan, takes, push_s, gflops)
    rows = tuple(
        (f"{feed}: {what}", f"{us:,.0f}", f"{us / of['all']:.1%}")
        for feed, of in figures.items()
        for what, us in of.items()
    )
    return Part(
        "What the time is spent on",
        ("kind of work", "us a second of sound", "share"),
        rows,
        figures,
        (
            "Processor time of native calls of the same sizes, played again in a bare loop; the last is the rest.",
            "Recordings at another rate, and files that are not PCM, add resampling and decoding to the last one.",
        ),
    )

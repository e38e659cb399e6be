"""The network alone, by how many streams are heard in one call: on the processor, and on a GPU where there is one."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitd.daemon import bundle
from digitd.daemon.bundle import Bundle
from digitd.daemon.errors import BundleError
from digitd.daemon.session import open_session
from digitd.daemon.spotter import NEXT_STATE, STATE
from digitd.daemon.stream_features import MelStream
from digitd.export.bench import arithmetic, peak
from digitd.export.bench.arithmetic import Arithmetic
from digitd.export.bench.machine import pinned
from digitd.export.bench.part import Part
from digitd.export.bench.plan import Plan
from digitd.export.bench.spread import quantiles
from digitd.export.bench.takes import RATE_HZ, Takes

SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
WARM_UP_CALLS = 5
MEASURED_S = 0.5
LEAST_CALLS = 20
NO_GPU = (
    "No GPU: ONNX Runtime offers no CUDA provider here ('digitd[gpu]' and a driver bring it). Measured: the processor."
)

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Steps:
    """A network that hears one step of some streams in a call."""

    graph: Path
    input: str
    output: str
    frames: Floats
    """float32 [n_streams, frames_per_output, n_mels], of speech."""
    state: Floats
    """float32 [n_streams, state_size]."""

    @property
    def feeds(self) -> dict[str, Floats]:
        """Inputs of the graph."""
        return {self.input: self.frames, STATE: self.state}


def steps(found: Bundle, takes: Takes, n_streams: int) -> Steps:
    """Steps of speech, each stream at another place of it.

    Raises:
        BundleError: the bundle hears utterances.
    """
    spec = found.manifest.stream
    if spec is None:
        raise BundleError(f"{found.folder}: hears utterances, not streams; batches are measured of --model stranger")
    frames = MelStream(spec).push(takes.continuous.samples[: 20 * RATE_HZ])
    begins = np.linspace(0, len(frames) - spec.frames_per_output, n_streams).astype(int)
    each = np.stack([frames[begin : begin + spec.frames_per_output] for begin in begins])
    graph = found.manifest.graph
    return Steps(found.graph_path, graph.input, graph.output, each, np.zeros((n_streams, spec.state_size), np.float32))


def on_cpu(work: Steps) -> tuple[Callable[[], None], Callable[[], Floats]]:
    """A call as the daemon makes it; and its posteriors."""
    session = open_session(work.graph, "cpu")
    outputs = [work.output, NEXT_STATE]

    def call() -> None:
        session.run(outputs, work.feeds)

    return call, lambda: np.asarray(session.run(outputs, work.feeds)[0])


def bound(work: Steps, device: str) -> tuple[Callable[[], None], Callable[[], Floats]]:
    """A call whose state never leaves the device: what one step leaves is bound as what the next one takes.

    Args:
        work: what is heard.
        device: `cuda`, or `cpu`, where nothing is gained.
    """
    import onnxruntime as ort

    session = open_session(work.graph, "cuda" if device == "cuda" else "cpu")
    binding = session.io_binding()

    def bind(state: Any) -> None:
        binding.bind_cpu_input(work.input, work.frames)
        binding.bind_ortvalue_input(STATE, state)
        binding.bind_output(work.output, "cpu")
        binding.bind_output(NEXT_STATE, device)

    def fresh() -> Any:
        return ort.OrtValue.ortvalue_from_numpy(work.state, device, 0)

    def call() -> None:
        session.run_with_iobinding(binding)
        binding.synchronize_outputs()
        bind(binding.get_outputs()[1])

    def posteriors() -> Floats:
        bind(fresh())
        session.run_with_iobinding(binding)
        return np.asarray(binding.get_outputs()[0].numpy())

    bind(fresh())
    return call, posteriors


def call_us(call: Callable[[], None]) -> dict[str, float]:
    """p50 and p99 of many calls, by the clock."""
    for _ in range(WARM_UP_CALLS):
        call()
    took_us: list[float] = []
    until_s = time.perf_counter() + MEASURED_S
    while len(took_us) < LEAST_CALLS or time.perf_counter() < until_s:
        began_s = time.perf_counter()
        call()
        took_us.append(1e6 * (time.perf_counter() - began_s))
    return quantiles(took_us, 50, 99)


def _measured(work: Steps, device: str, work_per_call: Arithmetic, step_s: float) -> dict[str, float]:
    call, _ = on_cpu(work) if device == "cpu" else bound(work, device)
    took_us = call_us(call)
    n_streams = len(work.frames)
    return {
        "streams": n_streams,
        "p50_us": took_us["p50"],
        "p99_us": took_us["p99"],
        "us_per_step": took_us["p50"] / n_streams,
        "streams_in_real_time": n_streams * step_s * 1e6 / took_us["p50"],
        "gflops": 2e-3 * work_per_call.multiply_adds / took_us["p50"],
        "flop_per_weight_byte": 2 * work_per_call.multiply_adds / work_per_call.weight_bytes,
    }


def cuda_here() -> bool:
    """Whether ONNX Runtime offers CUDA."""
    import onnxruntime as ort

    return "CUDAExecutionProvider" in ort.get_available_providers()


def measure(plan: Plan, takes: Takes) -> Part:
    """Every size on every device there is."""
    found = bundle.load(plan.model)
    devices = ["cpu", "cuda"] if cuda_here() else ["cpu"]
    figures: dict[str, Any] = {device: [] for device in devices}
    with pinned(plan.core):
        ceiling = peak.measured()
        for size in SIZES:
            work = steps(found, takes, size)
            spec = found.manifest.stream
            assert spec is not None  # noqa: S101 - `steps` refuses others
            step_s = spec.frames_per_output * spec.hop_samples / spec.sample_rate_hz
            counted = arithmetic.of(work.graph, work.feeds)
            for device in devices:
                figures[device].append(_measured(work, device, counted, step_s))
    one = arithmetic.of(found.graph_path, steps(found, takes, 1).feeds)
    figures |= {
        "multiply_adds_per_step": one.multiply_adds,
        "multiply_adds_per_audio_s": round(one.multiply_adds / step_s),
        "weight_bytes": one.weight_bytes,
        "operators": one.operators,
        "peak": ceiling,
    }
    if "cuda" in devices:
        work = steps(found, takes, SIZES[-1])
        figures["cuda_difference"] = float(np.abs(bound(work, "cuda")[1]() - on_cpu(work)[1]()).max())
    rows = [_row(device, of, ceiling["gflops"]) for device in devices for of in figures[device]]
    return Part(
        "The network alone, one step of 40 ms of so many streams a call",
        ("device: streams", "p50 us", "p99 us", "us a step", "streams in real time", "GFLOP/s", "of the core's peak"),
        tuple(rows),
        figures,
        tuple(_notes(figures)),
    )


def _row(device: str, of: dict[str, float], peak_gflops: float) -> tuple[str, ...]:
    return (
        f"{device}: {of['streams']:.0f}",
        f"{of['p50_us']:,.0f}",
        f"{of['p99_us']:,.0f}",
        f"{of['us_per_step']:.1f}",
        f"{of['streams_in_real_time']:,.0f}",
        f"{of['gflops']:.1f}",
        f"{of['gflops'] / peak_gflops:.0%}" if device == "cpu" else "-",
    )


def _notes(figures: dict[str, Any]) -> list[str]:
    one, most, ceiling, operators = figures["cpu"][0], figures["cpu"][-1], figures["peak"], figures["operators"]
    weights_us = figures["weight_bytes"] / ceiling["read_gb_per_s"] / 1000
    multiply_us = 2e-3 * figures["multiply_adds_per_step"] / ceiling["gflops"]
    million, gain = figures["multiply_adds_per_audio_s"] / 1e6, one["us_per_step"] / most["us_per_step"]
    notes = [
        f"A second of sound is {million:.1f} million multiply-adds; a step of 40 ms is {operators} operators.",
        f"One core: {ceiling['gflops']:.0f} GFLOP/s in products, {ceiling['read_gb_per_s']:.0f} GB/s from its cache.",
        (
            f"One stream, {one['flop_per_weight_byte']:.1f} operations a byte of weights: {weights_us:.0f} us to read "
            f"them and {multiply_us:.0f} us to multiply at the peak, of {one['p50_us']:.0f} us; the rest is starts."
        ),
        f"{most['streams']:.0f} streams: {most['us_per_step']:.1f} us a step, {gain:.1f} times less than one by one.",
    ]
    if "cuda" not in figures:
        return [*notes, NO_GPU]
    launch_us, difference = figures["cuda"][0]["p50_us"] / operators, figures["cuda_difference"]
    return [
        *notes,
        f"GPU: its answers differ from the processor's by at most {difference:.1e}.",
        f"A step of one stream takes it {launch_us:.1f} us an operator: a few us are what a launch costs.",
    ]

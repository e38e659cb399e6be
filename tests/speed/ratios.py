"""Native work of the stages against the bare work that it cannot do without: a ratio, without any machine's speed."""

import statistics
import time
from collections.abc import Callable

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from digitd.daemon.spotter import STATE, Spotter
from digitd.daemon.stream_features import MelStream

Work = Callable[[], object]
FRAMES = 100
FEATURE_FRAMES = 24
"""Whose arrays are small enough that malloc keeps them: larger ones cost page faults, or not, by what was before."""
PAIRS = 200
ATTEMPTS = 4


def ratio(work: Work, bare: Work) -> float:
    """How much longer `work` takes than `bare`, by processor time: the middle of PAIRS.

    The two of a pair run right after each other, so that whatever else the machine does slows both.
    """
    found = []
    for n in range(PAIRS):
        first, second = (work, bare) if n % 2 else (bare, work)
        first_s, second_s = took_s(first), took_s(second)
        found.append(first_s / second_s if n % 2 else second_s / first_s)
    return statistics.median(found)


def exceeds(work: Work, bare: Work, most: float) -> bool:
    """Whether the ratio is above `most` in each of ATTEMPTS: what has become slower is so each time."""
    return all(ratio(work, bare) > most for _ in range(ATTEMPTS))


def took_s(work: Work) -> float:
    """Processor time of one call."""
    began_s = time.thread_time()
    work()
    return time.thread_time() - began_s


def network(spotter: Spotter) -> tuple[Work, Work]:
    """A second of frames through the daemon's session; and through one of ONNX Runtime's own making, on one thread."""
    frames = spotter.bundle.golden.features[np.newaxis, :FRAMES]
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    plain = ort.InferenceSession(spotter.bundle.graph_path, options, providers=["CPUExecutionProvider"])
    feeds = {spotter.bundle.manifest.graph.input: frames, STATE: spotter.silence()}
    return lambda: spotter.step(frames, spotter.silence()), lambda: plain.run(None, feeds)


def features(spotter: Spotter) -> tuple[Work, Work]:
    """A quarter of a second to features; and the transform, products and powers that they consist of."""
    spec = spotter.spec
    samples = spotter.bundle.golden.samples[: FEATURE_FRAMES * spec.hop_samples].astype(np.float32)
    mel = MelStream(spec)
    windows: NDArray[np.float32] = np.random.default_rng(0).random((FEATURE_FRAMES, spec.n_fft)).astype(np.float32)
    window, bands = windows[0].copy(), np.ones((spec.n_fft // 2 + 1, spec.n_mels), np.float32)

    def bare() -> None:
        spectrum = np.fft.rfft(windows * window)
        power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32) @ bands
        levels = power.astype(np.float64)
        (levels / (1 + levels) ** 0.9 + 2) ** 0.5

    return lambda: MelStream.push_together([mel], [samples]), bare

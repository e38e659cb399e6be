"""Hours of sound without a pause: memory stays flat."""

import resource
from collections.abc import Iterator

import numpy as np
import pytest

from digitd.daemon.audio import Block, Samples
from digitd.daemon.events import Digit
from digitd.daemon.pipeline import Pipeline, PipelineConfig
from digitd.daemon.spotter import Spotter

RATE_HZ = 16000
HOURS = 2


def speech_without_a_pause(demo: Samples) -> Samples:
    """The demo's digits with everything soft between them cut out."""
    frames = demo[: len(demo) // 320 * 320].reshape(-1, 320)
    loud = np.abs(frames).max(axis=1) > 0.1 * np.abs(demo).max()
    return np.ascontiguousarray(frames[loud].ravel(), np.float32)


def blocks(kind: str, demo: Samples, n_seconds: int) -> Iterator[Block]:
    """So many seconds of silence, noise or speech."""
    generator = np.random.default_rng(1)
    speech = np.resize(speech_without_a_pause(demo), 60 * RATE_HZ)
    for second in range(n_seconds):
        begin = second % 60 * RATE_HZ
        sound = {
            "silence": np.zeros(RATE_HZ, np.float32),
            "noise": 0.1 * generator.standard_normal(RATE_HZ, np.float32),
            "speech": speech[begin : begin + RATE_HZ],
        }[kind]
        yield Block(sound[:, np.newaxis])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["silence", "noise", "speech"])
def test_two_hours_without_a_pause_keep_memory_flat(spotter: Spotter, demo: Samples, kind: str) -> None:
    pipeline = Pipeline(spotter, "entry", RATE_HZ, PipelineConfig())
    peaks_kb, n_digits = [], 0
    for number, block in enumerate(blocks(kind, demo, HOURS * 3600)):
        n_digits += sum(isinstance(body, Digit) for body in pipeline.push(block))
        if number % 600 == 599:
            peaks_kb.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    # Python takes memory by the megabyte: in the first hour it may take another one or two
    assert peaks_kb[-1] - peaks_kb[1] < 4096, peaks_kb
    assert peaks_kb[-1] == peaks_kb[len(peaks_kb) // 2], peaks_kb
    # digits without a pause are none to the one that was taught to want pauses
    assert (n_digits > 100) == (kind == "speech" and spotter.bundle.manifest.kind == "connected")

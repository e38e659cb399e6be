"""Single recordings -> one long recording with its truth, as a listener meets them."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import soxr

from digitd.daemon.audio import Samples
from digitd.daemon.vad import FRAME_MS, level_dbfs
from digitd.trainer.corpora.recording import Recording
from digitd.trainer.examples import read_mono
from digitd.trainer.scores import Word

GAP_S = (0.5, 1.2)
PEAK_DBFS = (-24.0, -6.0)
HISS_DBFS = -65.0
WORD_RANGE_DB = 35.0
"""A word lasts from the first to the last frame within this range of its loudest."""


@dataclass(frozen=True)
class Stream:
    """A long recording and the words in it."""

    samples: Samples
    """float32 [n_samples]."""
    rate_hz: int
    words: tuple[Word, ...]


def isolated(recordings: Iterable[Recording], rate_hz: int, seed: int) -> Stream:
    """All recordings in a drawn order, at drawn levels, with drawn pauses between them, in a quiet hiss."""
    generator = np.random.default_rng(seed)
    recordings = list(recordings)
    parts = [np.zeros(rate_hz, np.float32)]
    words, position = [], rate_hz
    for number in generator.permutation(len(recordings)):
        recording = recordings[number]
        clip = _at_rate(recording, rate_hz)
        clip = clip / max(float(np.abs(clip).max()), 1e-9) * 10 ** (generator.uniform(*PEAK_DBFS) / 20)
        start_s, end_s = voiced_span_s(clip, rate_hz)
        at_s = position / rate_hz
        words.append(Word(recording.label, recording.speaker, at_s + start_s, at_s + end_s))
        gap = np.zeros(int(generator.uniform(*GAP_S) * rate_hz), np.float32)
        parts += [clip, gap]
        position += len(clip) + len(gap)
    stream = np.concatenate(parts)
    hiss = 10 ** (HISS_DBFS / 20) * generator.standard_normal(len(stream))
    return Stream(np.clip(stream + hiss, -1, 1).astype(np.float32), rate_hz, tuple(words))


def voiced_span_s(samples: Samples, rate_hz: int) -> tuple[float, float]:
    """Begin and end of what is within WORD_RANGE_DB of the loudest frame of float32 [n_samples]."""
    length = rate_hz * FRAME_MS // 1000
    levels = np.array([level_dbfs(samples[n : n + length]) for n in range(0, len(samples) - length + 1, length)])
    if not len(levels):
        return 0.0, len(samples) / rate_hz
    voiced = np.flatnonzero(levels > levels.max() - WORD_RANGE_DB)
    return float(voiced[0]) * FRAME_MS / 1000, float(voiced[-1] + 1) * FRAME_MS / 1000


def _at_rate(recording: Recording, rate_hz: int) -> Samples:
    samples, source_rate_hz = read_mono(recording.path)
    resampled: Samples = samples if source_rate_hz == rate_hz else soxr.resample(samples, source_rate_hz, rate_hz)
    return resampled

"""Recordings -> clips in memory: at the network's rate, with where in them something is heard."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray
from tqdm import tqdm

from digitd.daemon.audio import Samples
from digitd.daemon.vad import FRAME_MS
from digitd.trainer.corpora import phones, said
from digitd.trainer.corpora.phones import Track
from digitd.trainer.corpora.recording import Recording
from digitd.trainer.corpora.said import Said
from digitd.trainer.examples import read_mono

WORD_RANGE_DB = 35.0
"""A word lasts from the first to the last frame within this range of its loudest."""
ABOVE_FLOOR_DB = 8.0
"""Frames of a noisy recording count only where they are so far above its quietest tenth."""
BELOW_PEAK_DB = 12.0
"""In a recording without any quiet, the frames within this range of the loudest count."""
PCM16_PEAK = 32767
POWER_FLOOR = 1e-12


@dataclass(frozen=True)
class Clip:
    """One recording."""

    recording: Recording
    pcm: NDArray[np.int16]
    """int16 [n_samples]; half the memory of floats."""
    levels_dbfs: NDArray[np.float32]
    """float32 [n_frames], of each FRAME_MS."""
    words: tuple[Said, ...] = ()
    """Of a string, which lie where in it."""
    phones: Track | None = None
    """Where they are known."""

    def track(self, begin: int, end: int, rate_hz: int) -> Track:
        """The phones of some of its samples, int8 [n_hops]; all UNKNOWN where they are not known."""
        first, last = (round(sample / rate_hz / phones.HOP_S) for sample in (begin, end))
        found = np.full(max(0, last - first), phones.UNKNOWN, np.int8)
        if self.phones is not None:
            known = self.phones[max(0, first) : last]
            found[: len(known)] = known
        return found

    @property
    def samples(self) -> Samples:
        """float32 [n_samples], its peak at full scale 1."""
        return self.pcm.astype(np.float32) * np.float32(1 / PCM16_PEAK)

    def span_s(self, range_db: float = WORD_RANGE_DB) -> tuple[float, float]:
        """Begin and end of what is within `range_db` of the loudest frame and stands out of the background."""
        return span_s(self.levels_dbfs, range_db)


def load(recordings: Iterable[Recording], rate_hz: int, title: str) -> list[Clip]:
    """All recordings that are not silent.

    Raises:
        AudioError: a recording is damaged.
        CorpusError: a string's table of words is.
    """
    clips = []
    for recording in tqdm(list(recordings), desc=f"loading {title}", unit="file", disable=None):
        samples = at_rate(recording, rate_hz)
        peak = float(np.abs(samples).max(initial=0.0))
        if peak > 0:
            pcm = np.round(samples / peak * PCM16_PEAK).astype(np.int16)
            words = said.read(recording.path) if recording.kind == "string" else ()
            clips.append(Clip(recording, pcm, levels(samples, rate_hz), words))
    return clips


def at_rate(recording: Recording, rate_hz: int) -> Samples:
    """float32 [n_samples] at a rate, resampled in full quality."""
    samples, source_rate_hz = read_mono(recording.path)
    resampled: Samples = samples if source_rate_hz == rate_hz else soxr.resample(samples, source_rate_hz, rate_hz)
    return resampled


def levels(samples: Samples, rate_hz: int) -> NDArray[np.float32]:
    """The level of each FRAME_MS of float32 [n_samples], float32 [n_frames]."""
    length = rate_hz * FRAME_MS // 1000
    power = (samples[: len(samples) // length * length].reshape(-1, length) ** 2).mean(axis=1)
    return np.asarray(10 * np.log10(np.maximum(power, POWER_FLOOR)), np.float32)


def span_s(levels_dbfs: NDArray[np.float32], range_db: float = WORD_RANGE_DB) -> tuple[float, float]:
    """Begin and end of what stands out, of float32 [n_frames]; all of them where there are none."""
    if not len(levels_dbfs):
        return 0.0, FRAME_MS / 1000
    loudest = float(levels_dbfs.max())
    floor = min(float(np.percentile(levels_dbfs, 10)) + ABOVE_FLOOR_DB, loudest - BELOW_PEAK_DB)
    voiced = np.flatnonzero(levels_dbfs > max(loudest - range_db, floor))
    return float(voiced[0]) * FRAME_MS / 1000, float(voiced[-1] + 1) * FRAME_MS / 1000

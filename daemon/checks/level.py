"""How loud a second of recording is."""

from dataclasses import dataclass

import numpy as np

from digitd.daemon.audio import FULL_SCALE, Samples, mixed_down
from digitd.daemon.vad import SILENCE_DBFS

FRAME_MS = 10


@dataclass(frozen=True)
class Level:
    """Against full scale."""

    loudest_dbfs: float
    """Of the samples."""
    median_dbfs: float
    """Of the frames of FRAME_MS, without what is constant in each."""
    floor_dbfs: float
    """That a tenth of the frames is below: the background, in speech too."""
    full_scale_share: float
    """Of the samples that are as loud as can be."""
    zero_frames: int | None
    """Before the first that holds a sound; None where none does."""


def measured(frames: Samples, rate_hz: int) -> Level:
    """The level of float32 [n_frames, n_channels], of one FRAME_MS at least."""
    mono, length = mixed_down(frames), rate_hz * FRAME_MS // 1000
    whole = mono[: len(mono) // length * length].reshape(-1, length)
    levels = _dbfs(whole.std(axis=1))
    sounding = np.flatnonzero(np.abs(frames).max(axis=1))
    return Level(
        loudest_dbfs=float(_dbfs(np.abs(frames).max(initial=0))),
        median_dbfs=float(np.median(levels)),
        floor_dbfs=float(np.percentile(levels, 10)),
        full_scale_share=float((np.abs(frames) >= FULL_SCALE).mean()),
        zero_frames=int(sounding[0]) if len(sounding) else None,
    )


def _dbfs(amplitude: Samples) -> Samples:
    level: Samples = 20 * np.log10(np.maximum(amplitude, 10 ** (SILENCE_DBFS / 20)))
    return level

"""A quiet room around one recording, so that a trimmed clip is heard as the daemon hears a live word."""

from dataclasses import dataclass

import numpy as np

from digitd.daemon.audio import Samples
from digitd.daemon.settings import setting


@dataclass(frozen=True)
class RoomConfig:
    """What is drawn anew for each take of a recording."""

    peak_low_dbfs: float = setting(-30.0, at_least=-90, at_most=0)
    peak_high_dbfs: float = setting(-3.0, at_least=-90, at_most=0)
    hiss_low_dbfs: float = setting(-75.0, at_least=-120, at_most=0)
    hiss_high_dbfs: float = setting(-50.0, at_least=-120, at_most=0)
    lead_s: float = setting(0.5, at_least=0, at_most=10)
    """Room before the recording: WebRTC's detector needs it to learn the background."""
    tail_s: float = setting(0.5, at_least=0, at_most=10)

    def __post_init__(self) -> None:
        for what in ("peak", "hiss"):
            low, high = getattr(self, f"{what}_low_dbfs"), getattr(self, f"{what}_high_dbfs")
            if low > high:
                raise ValueError(f"{what}_low_dbfs = {low:g} is above {what}_high_dbfs = {high:g}; exchange them")


def placed(samples: Samples, rate_hz: int, config: RoomConfig, generator: np.random.Generator) -> Samples:
    """float32 [n_samples + lead and tail]: the recording at a drawn level within white hiss of a drawn level."""
    peak = 10 ** (generator.uniform(config.peak_low_dbfs, config.peak_high_dbfs) / 20)
    hiss = 10 ** (generator.uniform(config.hiss_low_dbfs, config.hiss_high_dbfs) / 20)
    level = peak / max(float(np.abs(samples).max()), 1e-9)
    surrounded = np.pad(samples * level, (round(config.lead_s * rate_hz), round(config.tail_s * rate_hz)))
    room = hiss * generator.standard_normal(len(surrounded))
    return np.clip(surrounded + room, -1, 1).astype(np.float32)

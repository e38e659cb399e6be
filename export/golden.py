"""The synthetic signal by which a bundle proves itself at every start."""

import numpy as np

from digitd.daemon.audio import Samples


def signal(n_samples: int, rate_hz: int) -> Samples:
    """float32 [n_samples]: a gliding voice of twelve harmonics between two breaths of noise, rounded to 16 bits."""
    time_s = np.arange(n_samples) / rate_hz
    length_s = time_s[-1]
    pitch_hz = 110 + 40 * np.sin(2 * np.pi * time_s / length_s)
    phase = 2 * np.pi * np.cumsum(pitch_hz) / rate_hz
    voice = sum(np.sin(n * phase) / n for n in range(1, 13))
    envelope = np.sin(np.pi * time_s / length_s) ** 2
    breath = np.random.default_rng(0).standard_normal(len(time_s)) * (1 - envelope) * 0.05
    pcm16 = np.round((0.1 * voice * envelope + 0.2 * breath) * 32767)
    return np.asarray(pcm16 / 32768, np.float32)

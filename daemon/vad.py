"""Chunks -> 10 ms frames, each with WebRTC's decision whether it is speech, and its level."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import webrtcvad

from digitd.daemon.audio import Chunk, Samples

FRAME_MS = 10
RATES_HZ = (8000, 16000, 32000, 48000)
"""Rates that the WebRTC detector takes."""

SILENCE_DBFS = -120.0
"""Level given to digital silence."""


@dataclass(frozen=True)
class Frame:
    """FRAME_MS of the stream."""

    samples: Samples
    """float32 [n_samples], full scale 1."""
    start_sample: int
    speech: bool
    """WebRTC's decision. It holds on for 50-150 ms after the last speech."""
    level_dbfs: float
    """Root mean square against full scale 1."""
    after_gap: bool = False
    """True where samples were lost right before this frame."""


class FrameVad:
    """The WebRTC voice activity detector over a stream of chunks of any length.

    Args:
        rate_hz: one of RATES_HZ.
        mode: 0 (lets most through) to 3 (lets least through).
    """

    def __init__(self, rate_hz: int, mode: int) -> None:
        self._rate_hz = rate_hz
        self._mode = mode
        self._frame_samples = rate_hz * FRAME_MS // 1000
        self._vad = webrtcvad.Vad(mode)
        self._waiting = np.zeros(0, np.float32)  # less than a frame

    def push(self, chunk: Chunk) -> Iterator[Frame]:
        """Frames that are complete with `chunk`; what was waiting before a gap is no frame and is left out."""
        after_gap = chunk.dropped_s > 0
        if after_gap:
            self._vad = webrtcvad.Vad(self._mode)
            self._waiting = self._waiting[:0]
        samples = np.concatenate([self._waiting, chunk.samples])
        start_sample = chunk.start_sample - len(self._waiting)
        whole = len(samples) - len(samples) % self._frame_samples
        pcm = (np.clip(samples[:whole], -1, 1) * 32767).astype("<i2").tobytes()
        for begin in range(0, whole, self._frame_samples):
            end = begin + self._frame_samples
            frame = samples[begin:end]
            speech = self._vad.is_speech(pcm[2 * begin : 2 * end], self._rate_hz)
            yield Frame(frame, start_sample + begin, speech, level_dbfs(frame), after_gap and begin == 0)
        self._waiting = samples[whole:]


def level_dbfs(samples: Samples) -> float:
    """Root mean square of float32 [n_samples] against full scale 1, in dB, at least SILENCE_DBFS."""
    power = float(samples @ samples) / len(samples)
    return max(SILENCE_DBFS, float(10 * np.log10(power))) if power > 0 else SILENCE_DBFS

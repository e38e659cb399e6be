"""Chunks -> 10 ms frames, each with WebRTC's decision whether it is speech, and its level."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import webrtcvad

from digitd.daemon.audio import Chunk, Samples

FRAME_MS = 10
RATES_HZ = (8000, 16000, 32000, 48000)
"""Rates that the WebRTC detector takes."""

WARM_UP_MS = 200
"""WebRTC calls the first 110 ms of any stream speech. The stream's own beginning is played to it twice: first to learn
from, then to decide on. Measured on hiss of -90 to -50 dBFS: no false frame, and no word at the very beginning lost."""

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
        self._warm_up_samples = rate_hz * WARM_UP_MS // 1000
        self._waiting = np.zeros(0, np.float32)
        self._begin(0, after_gap=False)

    def push(self, chunk: Chunk) -> Iterator[Frame]:
        """Frames that are complete with `chunk`."""
        if chunk.fresh:
            yield from self.finish()
            self._begin(chunk.start_sample, after_gap=True)
        self._waiting = np.concatenate([self._waiting, chunk.samples])
        if self._warm or len(self._waiting) >= self._warm_up_samples:
            yield from self._decide()

    def finish(self) -> Iterator[Frame]:
        """Frames that still wait at the end of the stream; less than a frame is left out."""
        yield from self._decide()

    def _begin(self, sample: int, *, after_gap: bool) -> None:
        self._vad = webrtcvad.Vad(self._mode)
        self._warm = False
        self._after_gap = after_gap
        self._next_sample = sample
        self._waiting = self._waiting[:0]

    def _decide(self) -> Iterator[Frame]:
        whole = len(self._waiting) - len(self._waiting) % self._frame_samples
        samples, self._waiting = self._waiting[:whole], self._waiting[whole:]
        pcm = (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()
        pieces = [pcm[n : n + 2 * self._frame_samples] for n in range(0, len(pcm), 2 * self._frame_samples)]
        if not self._warm:
            self._warm = True
            for piece in pieces[: WARM_UP_MS // FRAME_MS]:
                self._vad.is_speech(piece, self._rate_hz)
        for n, piece in enumerate(pieces):
            frame = samples[n * self._frame_samples : (n + 1) * self._frame_samples]
            speech = self._vad.is_speech(piece, self._rate_hz)
            yield Frame(frame, self._next_sample, speech, level_dbfs(frame), self._after_gap)
            self._next_sample += self._frame_samples
            self._after_gap = False


def level_dbfs(samples: Samples) -> float:
    """Root mean square of float32 [n_samples] against full scale 1, in dB, at least SILENCE_DBFS."""
    power = float(samples @ samples) / len(samples)
    return max(SILENCE_DBFS, float(10 * np.log10(power))) if power > 0 else SILENCE_DBFS

"""A stream of samples -> mel frames, each computed once: what a network that hears a stream is shown."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from digitd.daemon.audio import Samples
from digitd.daemon.features import mel_filters
from digitd.daemon.settings import setting
from digitd.daemon.vad import RATES_HZ

MelFrames = NDArray[np.float32]
"""float32 [n_frames, n_mels]; of some streams together [n_streams, n_frames, n_mels]."""
MelLevels = NDArray[np.float64]
"""float64 [n_streams, n_mels]: how loud each band has been lately."""


BLOCK_FRAMES = 64
"""So many frames are normalised at once."""


@dataclass(frozen=True)
class StreamSpec:
    """What mel frames are computed with; it lives in the bundle's manifest, never in digitd.toml."""

    sample_rate_hz: int = 16000
    """One that the speech detector takes too: the whole path runs at it."""
    n_fft: int = setting(512, at_least=64, at_most=8192)
    hop_samples: int = setting(160, at_least=16, at_most=4096)
    n_mels: int = setting(40, at_least=8, at_most=256)
    fmin_hz: float = setting(60.0, at_least=0)
    fmax_hz: float = setting(3800.0, at_least=100)
    """Below 4 kHz a telephone, an 8 kHz recording and a studio microphone sound alike."""
    smoothing: float = setting(0.03, at_least=1e-4, at_most=1)
    """Share of each new frame in a band's running level: a third of a second's memory."""
    gain: float = setting(0.9, at_least=0, at_most=1)
    """How much of a band's running level is divided out: 1 hears neither the microphone's colour nor steady noise."""
    floor: float = setting(1e-6, at_least=1e-12, at_most=1)
    """Power added to every running level, so that digital silence stays quiet."""
    offset: float = setting(2.0, at_least=0, at_most=100)
    exponent: float = setting(0.5, at_least=0.01, at_most=1)
    frames_per_output: int = setting(4, at_least=1, at_most=100)
    """The network answers once in so many frames."""
    state_size: int = setting(0, at_least=0, at_most=10_000_000)
    """How many values the network carries from one step to the next."""

    def __post_init__(self) -> None:
        if self.hop_samples > self.n_fft:
            raise ValueError(f"hop_samples = {self.hop_samples} must be at most n_fft = {self.n_fft}")
        if self.sample_rate_hz not in RATES_HZ:
            raise ValueError(f"sample_rate_hz = {self.sample_rate_hz} must be one of {', '.join(map(str, RATES_HZ))}")
        if not self.fmin_hz < self.fmax_hz <= self.sample_rate_hz / 2:
            raise ValueError(
                f"fmin_hz = {self.fmin_hz:g} and fmax_hz = {self.fmax_hz:g} must rise and lie within half of "
                f"sample_rate_hz = {self.sample_rate_hz}"
            )


class MelBank:
    """Windows, bands and smoothing of a spec: what all streams share.

    Each band is divided by its own running level and compressed: per-channel energy normalisation (Wang and others,
    "Trainable frontend for robust and far-field keyword spotting", 2017). It needs no look ahead, evens out loudness
    and lets steady noise fade.
    """

    def __init__(self, spec: StreamSpec, warp: float) -> None:
        self.spec = spec
        self._window = np.hanning(spec.n_fft + 1)[:-1].astype(np.float32)
        self._filters = mel_filters(spec, warp).T.copy()
        steps = np.arange(BLOCK_FRAMES)
        kept = 1 - spec.smoothing
        self._decay = kept ** (steps + 1)[:, np.newaxis]
        self._smooth = np.tril(spec.smoothing * kept ** np.maximum(steps[:, np.newaxis] - steps, 0))

    def frames(self, samples: Samples, levels: MelLevels) -> tuple[MelFrames, MelLevels]:
        """Mel frames of some streams, as many of each, and the bands' running levels after them.

        Args:
            samples: float32 [n_streams, n_samples], with the n_fft - hop_samples that are past.
            levels: float64 [n_streams, n_mels]; NaN before the first frame of a stream.

        Returns:
            float32 [n_streams, n_frames, n_mels], and float64 [n_streams, n_mels].
        """
        spec = self.spec
        n_streams, n_samples = samples.shape
        n_frames = (n_samples - spec.n_fft) // spec.hop_samples + 1
        of_stream, of_sample = samples.strides  # numpy's own functions for windows cost as much as the spectrum
        strides = (of_stream, spec.hop_samples * of_sample, of_sample)
        windows: Samples = np.ndarray((n_streams, n_frames, spec.n_fft), np.float32, samples, 0, strides)
        spectrum = np.fft.rfft(windows * self._window)
        power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32) @ self._filters
        blocks = []
        for begin in range(0, n_frames, BLOCK_FRAMES):
            block, levels = self._normalised(power[:, begin : begin + BLOCK_FRAMES], levels)
            blocks.append(block)
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1), levels

    def _normalised(self, power: MelFrames, before: MelLevels) -> tuple[MelFrames, MelLevels]:
        """Of at most BLOCK_FRAMES frames of each stream: the running levels of all are one matrix product."""
        spec, n = self.spec, power.shape[1]
        before = np.where(np.isnan(before), power[:, 0], before)
        levels = self._decay[:n] * before[:, np.newaxis] + self._smooth[:n, :n] @ power
        compressed = (power / (spec.floor + levels) ** spec.gain + spec.offset) ** spec.exponent
        return np.asarray(compressed - spec.offset**spec.exponent, np.float32), levels[:, -1]


@functools.lru_cache(maxsize=4)
def _bank(spec: StreamSpec, warp: float) -> MelBank:
    """One for many streams: its tables are larger than all else that a stream holds of features."""
    return MelBank(spec, warp)


class MelStream:
    """Frames of one stream, each made of the n_fft samples that end with its hop.

    Args:
        spec: what the network sees.
        warp: moves the bands, as a vocal tract of another length does; 1 for all that is not trained on.
    """

    def __init__(self, spec: StreamSpec, warp: float = 1.0) -> None:
        self._bank = _bank(spec, warp)
        self._past = np.zeros(spec.n_fft - spec.hop_samples, np.float32)
        self._levels = np.full(spec.n_mels, np.nan)

    def push(self, samples: Samples) -> MelFrames:
        """The frames that are complete with float32 [n_samples]."""
        spec = self._bank.spec
        waiting = np.concatenate([self._past, samples])
        if len(waiting) < spec.n_fft:
            self._past = waiting
            return np.zeros((0, spec.n_mels), np.float32)
        frames: MelFrames = self._take([self], waiting[np.newaxis])[0]
        return frames

    @classmethod
    def push_together(cls, streams: Sequence["MelStream"], samples: Sequence[Samples]) -> MelFrames:
        """Frames of some streams at once, which have heard and now hear whole hops, as many of each.

        Args:
            streams: of one spec.
            samples: float32 [n_samples], at least a hop, of each.

        Returns:
            float32 [n_streams, n_frames, n_mels].
        """
        pairs = zip(streams, samples, strict=True)
        waiting = np.concatenate([part for stream, piece in pairs for part in (stream._past, piece)])
        return cls._take(streams, waiting.reshape(len(streams), -1))

    @staticmethod
    def _take(streams: Sequence["MelStream"], waiting: Samples) -> MelFrames:
        bank = streams[0]._bank
        before = np.concatenate([stream._levels for stream in streams]).reshape(-1, bank.spec.n_mels)
        frames, levels = bank.frames(waiting, before)
        past = waiting[:, frames.shape[1] * bank.spec.hop_samples :]
        for n, stream in enumerate(streams):
            stream._past, stream._levels = past[n].copy(), levels[n].copy()  # not the whole round's
        return frames

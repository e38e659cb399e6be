"""A stream of samples -> mel frames, each computed once: what a network that hears a stream is shown."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from digitd.daemon.audio import Samples
from digitd.daemon.features import mel_filters
from digitd.daemon.settings import setting
from digitd.daemon.vad import RATES_HZ

MelFrames = NDArray[np.float32]
"""float32 [n_frames, n_mels]."""


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


class MelStream:
    """Frames of one stream, each made of the n_fft samples that end with its hop.

    Each band is divided by its own running level and compressed: per-channel energy normalisation (Wang and others,
    "Trainable frontend for robust and far-field keyword spotting", 2017). It needs no look ahead, evens out loudness
    and lets steady noise fade.

    Args:
        spec: what the network sees.
        warp: moves the bands, as a vocal tract of another length does; 1 for all that is not trained on.
    """

    def __init__(self, spec: StreamSpec, warp: float = 1.0) -> None:
        self._spec = spec
        self._window = np.hanning(spec.n_fft + 1)[:-1].astype(np.float32)
        self._filters = mel_filters(spec, warp).T.copy()
        self._past = np.zeros(spec.n_fft - spec.hop_samples, np.float32)
        self._level: NDArray[np.float64] | None = None
        steps = np.arange(BLOCK_FRAMES)
        kept = 1 - spec.smoothing
        self._decay = kept ** (steps + 1)[:, np.newaxis]
        self._smooth = np.tril(spec.smoothing * kept ** np.maximum(steps[:, np.newaxis] - steps, 0))

    def push(self, samples: Samples) -> MelFrames:
        """The frames that are complete with float32 [n_samples]."""
        spec = self._spec
        waiting = np.concatenate([self._past, samples])
        n_frames = max(0, (len(waiting) - spec.n_fft) // spec.hop_samples + 1)
        self._past = waiting[n_frames * spec.hop_samples :]
        if not n_frames:
            return np.zeros((0, spec.n_mels), np.float32)
        step = waiting.strides[0]  # `sliding_window_view` would cost as much as the spectrum
        frames = np.lib.stride_tricks.as_strided(
            waiting, (n_frames, spec.n_fft), (spec.hop_samples * step, step), writeable=False
        )
        spectrum = np.fft.rfft(frames * self._window, axis=1)
        power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32) @ self._filters
        return np.concatenate([self._normalised(power[n : n + BLOCK_FRAMES]) for n in range(0, n_frames, BLOCK_FRAMES)])

    def _normalised(self, power: MelFrames) -> MelFrames:
        """Of at most BLOCK_FRAMES frames: the running levels of all are one matrix product."""
        spec, n = self._spec, len(power)
        before = power[0].astype(np.float64) if self._level is None else self._level
        levels = self._decay[:n] * before + self._smooth[:n, :n] @ power
        self._level = levels[-1]
        compressed = (power / (spec.floor + levels) ** spec.gain + spec.offset) ** spec.exponent
        return np.asarray(compressed - spec.offset**spec.exponent, np.float32)

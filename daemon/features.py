"""Utterance samples -> the mel spectrogram that the network sees.

Equal to librosa's `melspectrogram` (Slaney's scale and normalisation, centred frames) and `power_to_db` with
`ref=max`; the tests compare. librosa itself is not imported: its first call costs 1.8 s and 240 MiB.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from digitd.daemon.audio import Samples
from digitd.daemon.settings import setting
from digitd.daemon.vad import RATES_HZ

MelSpectrogram = NDArray[np.float32]
"""float32 [n_mels, n_frames], 0 (level_range_db below the loudest cell) to 1 (the loudest cell)."""

POWER_FLOOR = 1e-10
"""librosa's `amin`: the least power that a decibel is taken of."""

_SLANEY_BREAK_HZ = 1000.0
_SLANEY_HZ_PER_MEL = 200 / 3  # below the break
_SLANEY_LOG_STEP = np.log(6.4) / 27  # above it


@dataclass(frozen=True)
class MelSpec:
    """What a mel spectrogram is computed with; it lives in the bundle's manifest, never in digitd.toml."""

    sample_rate_hz: int = 16000
    """One that the speech detector takes too: the whole path runs at it."""
    n_fft: int = setting(1024, at_least=64, at_most=8192)
    hop_samples: int = setting(256, at_least=16, at_most=4096)
    n_mels: int = setting(64, at_least=8, at_most=256)
    n_frames: int = setting(64, at_least=8, at_most=1024)
    fmin_hz: float = setting(0.0, at_least=0)
    fmax_hz: float = setting(4000.0, at_least=100)
    level_range_db: float = setting(80.0, at_least=20, at_most=200)

    def __post_init__(self) -> None:
        if self.sample_rate_hz not in RATES_HZ:
            raise ValueError(f"sample_rate_hz = {self.sample_rate_hz} must be one of {', '.join(map(str, RATES_HZ))}")
        if not self.fmin_hz < self.fmax_hz <= self.sample_rate_hz / 2:
            raise ValueError(
                f"fmin_hz = {self.fmin_hz:g} and fmax_hz = {self.fmax_hz:g} must rise and lie within half of "
                f"sample_rate_hz = {self.sample_rate_hz}"
            )

    @property
    def clip_samples(self) -> int:
        """Length of audio that fills n_frames centred frames."""
        return (self.n_frames - 1) * self.hop_samples

    @property
    def shape(self) -> tuple[int, int]:
        """(n_mels, n_frames)."""
        return self.n_mels, self.n_frames


class LogMel:
    """Mel spectrograms in decibels of clips of one fixed length."""

    def __init__(self, spec: MelSpec) -> None:
        self.spec = spec
        self._window = np.hanning(spec.n_fft + 1)[:-1].astype(np.float32)  # periodic, as for a DFT

    def spectrogram(self, samples: Samples) -> MelSpectrogram:
        """The spectrogram of samples of any length, fitted to the clip by `fit`."""
        return self.normalised(self.power(fit(samples, self.spec.clip_samples)))

    def power(self, clip: Samples) -> MelSpectrogram:
        """Mel power, float32 [n_mels, n_frames], of float32 [clip_samples]."""
        padded = np.pad(clip, self.spec.n_fft // 2)
        frames = np.lib.stride_tricks.sliding_window_view(padded, self.spec.n_fft)[:: self.spec.hop_samples]
        spectrum = np.fft.rfft(frames * self._window, axis=1)
        power = spectrum.real**2 + spectrum.imag**2
        mel_power: MelSpectrogram = self._filters @ power.T.astype(np.float32)
        return mel_power

    def normalised(self, power: MelSpectrogram) -> MelSpectrogram:
        """Decibels below the loudest cell, cut at level_range_db, scaled to 0..1: a voice's level does not matter."""
        decibels = 10 * np.log10(np.maximum(power, POWER_FLOOR))
        normalised: MelSpectrogram = np.maximum((decibels - decibels.max()) / self.spec.level_range_db + 1, 0)
        return normalised

    @cached_property
    def _filters(self) -> NDArray[np.float32]:
        return mel_filters(self.spec)


def fit(samples: Samples, length: int) -> Samples:
    """Exactly `length` samples: shorter ones in the middle of silence, of longer ones the loudest stretch."""
    missing = length - len(samples)
    if missing >= 0:
        return np.pad(samples, (missing // 2, missing - missing // 2))
    energy = np.concatenate([[0.0], np.cumsum(samples.astype(np.float64) ** 2)])
    begin = int(np.argmax(energy[length:] - energy[:-length]))
    return samples[begin : begin + length]


class Bands(Protocol):
    """What mel filters hang on."""

    @property
    def sample_rate_hz(self) -> int: ...  # noqa: D102
    @property
    def n_fft(self) -> int: ...  # noqa: D102
    @property
    def n_mels(self) -> int: ...  # noqa: D102
    @property
    def fmin_hz(self) -> float: ...  # noqa: D102
    @property
    def fmax_hz(self) -> float: ...  # noqa: D102


def mel_filters(spec: Bands, warp: float = 1.0) -> NDArray[np.float32]:
    """Triangular filters, float32 [n_mels, n_fft // 2 + 1], each of area 2 / its width in Hz.

    Args:
        spec: the bands.
        warp: their corners are moved by this factor, as by a vocal tract of another length (Jaitly, Hinton 2013).

    Source: Slaney, Auditory Toolbox (1998), as librosa's `filters.mel(htk=False, norm="slaney")`.
    """
    bins_hz = np.fft.rfftfreq(spec.n_fft, 1 / spec.sample_rate_hz)
    mels = np.linspace(_hz_to_mel(spec.fmin_hz), _hz_to_mel(spec.fmax_hz), spec.n_mels + 2)
    corners_hz = np.minimum(warp * _mel_to_hz(mels), spec.sample_rate_hz / 2)[:, np.newaxis]
    below, centre, above = corners_hz[:-2], corners_hz[1:-1], corners_hz[2:]
    rising = (bins_hz - below) / (centre - below)
    falling = (above - bins_hz) / (above - centre)
    triangles = np.maximum(0, np.minimum(rising, falling))
    return np.asarray(triangles * 2 / (above - below), np.float32)


def _hz_to_mel(frequency_hz: float) -> float:
    """Slaney's scale: linear below 1 kHz, logarithmic above."""
    if frequency_hz < _SLANEY_BREAK_HZ:
        return frequency_hz / _SLANEY_HZ_PER_MEL
    above = np.log(frequency_hz / _SLANEY_BREAK_HZ) / _SLANEY_LOG_STEP
    return float(_SLANEY_BREAK_HZ / _SLANEY_HZ_PER_MEL + above)


def _mel_to_hz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    break_mel = _SLANEY_BREAK_HZ / _SLANEY_HZ_PER_MEL
    above = _SLANEY_BREAK_HZ * np.exp(_SLANEY_LOG_STEP * (mels - break_mel))
    return np.where(mels < break_mel, mels * _SLANEY_HZ_PER_MEL, above)

"""The mel spectrogram equals librosa's."""

import librosa
import numpy as np
import pytest

from digitd.daemon.audio import Samples
from digitd.daemon.features import LogMel, MelSpec, fit, mel_filters

SPECS = {
    "64x64": MelSpec(),
    "128x128": MelSpec(n_mels=128, n_frames=128, hop_samples=128),
    "8 kHz": MelSpec(sample_rate_hz=8000, n_fft=512, hop_samples=128, fmin_hz=60),
    "wide": MelSpec(sample_rate_hz=48000, n_fft=2048, hop_samples=512, n_frames=94, fmax_hz=24000),
}


def signals(spec: MelSpec) -> dict[str, Samples]:
    time_s = np.arange(spec.clip_samples) / spec.sample_rate_hz
    generator = np.random.default_rng(1)
    made = {
        "noise": 0.1 * generator.standard_normal(len(time_s)),
        "tone": 0.5 * np.sin(2 * np.pi * 440 * time_s),
        "sweep": 0.3 * np.sin(2 * np.pi * (100 + 1500 * time_s) * time_s),
        "click": np.eye(1, len(time_s), len(time_s) // 2).ravel(),
        "quiet": 1e-4 * generator.standard_normal(len(time_s)),
    }
    return {name: signal.astype(np.float32) for name, signal in made.items()}


def librosa_power(samples: Samples, spec: MelSpec) -> Samples:
    power: Samples = librosa.feature.melspectrogram(
        y=samples,
        sr=spec.sample_rate_hz,
        n_fft=spec.n_fft,
        hop_length=spec.hop_samples,
        n_mels=spec.n_mels,
        fmin=spec.fmin_hz,
        fmax=spec.fmax_hz,
        power=2.0,
    )
    return power


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
@pytest.mark.parametrize("name", ["noise", "tone", "sweep", "click", "quiet"])
def test_power_and_decibels_are_librosas(spec: MelSpec, name: str) -> None:
    samples = signals(spec)[name]
    wanted = librosa_power(samples, spec)
    found = LogMel(spec).power(samples)
    assert found.shape == wanted.shape == spec.shape
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-7 * wanted.max())
    decibels = librosa.power_to_db(wanted, ref=np.max, top_db=spec.level_range_db)
    np.testing.assert_allclose(
        LogMel(spec).normalised(found), decibels / spec.level_range_db + 1, atol=1e-2 / spec.level_range_db
    )


def test_filters_are_librosas() -> None:
    for spec in SPECS.values():
        wanted = librosa.filters.mel(
            sr=spec.sample_rate_hz, n_fft=spec.n_fft, n_mels=spec.n_mels, fmin=spec.fmin_hz, fmax=spec.fmax_hz
        )
        np.testing.assert_allclose(mel_filters(spec), wanted, rtol=1e-5, atol=1e-9)


def test_level_does_not_matter() -> None:
    samples = signals(MelSpec())["sweep"]
    loud, quiet = LogMel(MelSpec()).spectrogram(samples), LogMel(MelSpec()).spectrogram(samples * np.float32(1 / 30))
    np.testing.assert_allclose(loud, quiet, atol=1e-3)


def test_silence_is_finite() -> None:
    features = LogMel(MelSpec()).spectrogram(np.zeros(1000, np.float32))
    assert np.isfinite(features).all()


@pytest.mark.parametrize("n_samples", [0, 1, 999, 1000, 1001, 5000])
def test_fit_gives_the_length_and_keeps_what_is_loud(n_samples: int) -> None:
    samples = np.zeros(n_samples, np.float32)
    if n_samples:
        samples[n_samples // 3] = 1
    fitted = fit(samples, 1000)
    assert len(fitted) == 1000
    assert fitted.sum() == samples.sum()


def test_a_spec_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="fmax_hz = 9000"):
        MelSpec(fmax_hz=9000)
    with pytest.raises(ValueError, match="sample_rate_hz = 22050 must be one of 8000, 16000, 32000, 48000"):
        MelSpec(sample_rate_hz=22050)

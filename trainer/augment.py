"""What may happen to sound between a mouth and the network: voices, rooms, microphones, lines, noise.

Filters, clipping and pitch are audiomentations' (its parameters come from the global generators, which `seeded` sets);
what it lacks, or draws too slowly for scenes made by the ten thousand, is here.
"""

import random
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import soxr
from scipy.signal import fftconvolve, lfilter

from digitd.daemon.audio import Samples
from digitd.trainer import codec

CODED = 0.1
"""Share of scenes that come through a lossy codec."""


@cache
def _transforms() -> dict[str, Any]:
    import audiomentations as a

    return {
        "pitch": a.PitchShift(-2, 2, p=1),
        "tempo": a.TimeStretch(0.75, 1.35, leave_length_unchanged=False, p=1),
        "colour": a.SevenBandParametricEQ(-10, 10, p=1),
        "line": a.BandPassFilter(
            900, 1900, min_bandwidth_fraction=1.3, max_bandwidth_fraction=1.9, min_rolloff=12, max_rolloff=24, p=1
        ),
        "clipping": a.ClippingDistortion(0, 15, p=1),
        "overdrive": a.TanhDistortion(0.05, 0.5, p=1),
        "narrow": a.Aliasing(6000, 12000, p=1),
    }


def seeded(seed: Sequence[int]) -> np.random.Generator:
    """A generator, with audiomentations' own generators set by the same seed."""
    generator = np.random.default_rng(seed)
    random.seed(int(generator.integers(2**32)))
    np.random.seed(int(generator.integers(2**32)))  # noqa: NPY002 - audiomentations draws from it
    return generator


def voice(samples: Samples, rate_hz: int, generator: np.random.Generator) -> Samples:
    """The same word by another speaker: longer or shorter vocal tract, other pitch, other tempo."""
    speed = generator.uniform(0.88, 1.14)
    spoken: Samples = soxr.resample(samples, rate_hz * speed, rate_hz, quality="MQ")
    if generator.random() < 0.35:
        spoken = _transforms()["pitch"](spoken, rate_hz)
    if generator.random() < 0.35:
        spoken = _transforms()["tempo"](spoken, rate_hz)
    if generator.random() < 0.4:
        spoken = _transforms()["colour"](spoken, rate_hz)
    return spoken


def hastened(samples: Samples, rate_hz: int, speed: float) -> Samples:
    """The same, so many times as fast at the same pitch."""
    import audiomentations as a

    faster: Samples = a.TimeStretch(speed, speed, leave_length_unchanged=False, p=1)(samples, rate_hz)
    return faster


def room(samples: Samples, rate_hz: int, responses: Sequence[Samples], generator: np.random.Generator) -> Samples:
    """Reverberated, in a measured room or a drawn one (noise that decays by 60 dB in 0.1-0.7 s, Polack 1988)."""
    if len(responses) and generator.random() < 0.4:
        response = responses[int(generator.integers(len(responses)))]
    else:
        decay_s = generator.uniform(0.1, 0.7)
        time_s = np.arange(int(decay_s * rate_hz)) / rate_hz
        tail = generator.standard_normal(len(time_s)) * 10 ** (-3 * time_s / decay_s)
        direct_to_tail = 10 ** (generator.uniform(-3, 12) / 20)
        response = tail / np.sqrt((tail**2).sum())
        response[0] = direct_to_tail
    begin = int(np.abs(response).argmax())  # the direct sound: the word stays where it is
    wet: Samples = fftconvolve(samples, response[begin:])[: len(samples)].astype(np.float32)
    return wet * np.float32(np.sqrt((samples**2).sum() / max(float((wet**2).sum()), 1e-12)))


def microphone(samples: Samples, rate_hz: int, generator: np.random.Generator) -> Samples:
    """Coloured, and now and then through a telephone line, a narrow band, an overdriven or clipping input, a codec."""
    chances = {"colour": 0.5, "line": 0.12, "narrow": 0.08, "overdrive": 0.06, "clipping": 0.06}
    for name, chance in chances.items():
        if generator.random() < chance:
            samples = _transforms()[name](samples, rate_hz)
    return codec.drawn(samples, rate_hz, generator) if generator.random() < CODED else samples


def coloured_noise(n_samples: int, rate_hz: int, generator: np.random.Generator) -> Samples:
    """float32 [n_samples] of power 1: white to brown, now and then with the mains' hum."""
    white = generator.standard_normal(n_samples)
    pole = generator.choice([0.0, 0.7, 0.95, 0.995])
    noise = lfilter([1.0], [1.0, -pole], white)
    noise /= np.sqrt((noise**2).mean())
    if generator.random() < 0.2:
        mains_hz = generator.choice([50, 60]) * generator.integers(1, 4)
        noise += generator.uniform(0.3, 2) * np.sin(2 * np.pi * mains_hz * np.arange(n_samples) / rate_hz)
    scaled: Samples = (noise / np.sqrt((noise**2).mean())).astype(np.float32)
    return scaled


def thing(rate_hz: int, generator: np.random.Generator) -> Samples:
    """A short sound that is no speech: a tap, a breath, a tone or a chord; float32 [n_samples], peak 1."""
    n_samples = int(generator.uniform(0.02, 0.8) * rate_hz)
    time_s = np.arange(n_samples) / rate_hz
    kind = generator.integers(4)
    if kind == 0:  # taps
        sound = generator.standard_normal(n_samples) * np.exp(-time_s / generator.uniform(0.003, 0.05))
    elif kind == 1:  # a breath
        low, high = sorted(generator.uniform(0.02, 0.9, 2))
        noise = lfilter([1 - low], [1, -low], generator.standard_normal(n_samples))
        sound = (noise - lfilter([1 - high], [1, -high], noise)) * np.hanning(n_samples)
    else:  # a tone, a chord, a glide
        n_tones = 1 if kind == 2 else generator.integers(2, 8)
        pitch_hz = generator.uniform(80, 1500)
        glide = 1 + generator.uniform(-0.3, 0.3) * time_s
        tones = [pitch_hz * m * generator.choice([1, 1, 1.25, 1.5]) for m in range(1, n_tones + 1)]
        sound = sum(
            np.sin(2 * np.pi * hz * glide * time_s + 6 * generator.random()) / (k + 1) for k, hz in enumerate(tones)
        )
        sound = sound * np.exp(-time_s / generator.uniform(0.05, 1.0)) * np.minimum(1, time_s / 0.005)
    return (sound / max(float(np.abs(sound).max()), 1e-9)).astype(np.float32)

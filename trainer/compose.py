"""Single recordings -> one long recording with its truth, as a listener meets them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from digitd.daemon.audio import Samples
from digitd.trainer.clips import at_rate, levels, span_s
from digitd.trainer.corpora.recording import Recording
from digitd.trainer.scores import Word

DIGIT_GAP_S = (0.5, 1.2)
OTHER_GAP_S = (1.0, 1.8)
PEAK_DBFS = (-24.0, -6.0)
NOISE_DBFS = (-45.0, -15.0)
HISS_DBFS = -65.0
CUT_MARGIN_S = 0.05


@dataclass(frozen=True)
class Stream:
    """A long recording and the words in it."""

    samples: Samples
    """float32 [n_samples]."""
    rate_hz: int
    words: tuple[Word, ...]

    @property
    def length_s(self) -> float:
        """Of all of it."""
        return len(self.samples) / self.rate_hz


@dataclass(frozen=True)
class Noise:
    """What is heard behind the words."""

    recordings: Sequence[Recording]
    snr_db: float
    """Against the median word."""


def isolated(recordings: Iterable[Recording], rate_hz: int, seed: int, noise: Noise | None = None) -> Stream:
    """Words cut close, in a drawn order, at drawn levels, 0.5-1.2 s apart, in a quiet hiss or in noise."""
    return _said(recordings, rate_hz, seed, DIGIT_GAP_S, noise, cut=True)


def spoken(recordings: Iterable[Recording], rate_hz: int, seed: int) -> Stream:
    """Whole recordings, in a drawn order, at drawn levels, 1.0-1.8 s apart, in a quiet hiss."""
    return _said(recordings, rate_hz, seed, OTHER_GAP_S, None, cut=False)


def noises(recordings: Iterable[Recording], rate_hz: int, seed: int) -> Stream:
    """Noises without a word, in a drawn order, at drawn levels, 1.0-1.8 s apart, in a quiet hiss."""
    generator = np.random.default_rng(seed)
    recordings = list(recordings)
    parts = [np.zeros(rate_hz, np.float32)]
    for number in generator.permutation(len(recordings)):
        sound = _of_power_1(at_rate(recordings[number], rate_hz))
        parts += [sound * 10 ** (generator.uniform(*NOISE_DBFS) / 20), _gap(OTHER_GAP_S, rate_hz, generator)]
    return _stream(np.concatenate(parts), rate_hz, (), None, generator)


def phrases(
    spoken: Sequence[Samples], rate_hz: int, seed: int, noise: Noise | None = None
) -> tuple[Stream, list[float]]:
    """Sounds as they are, at drawn levels, 1.0-1.8 s apart, and where each begins, in seconds."""
    generator = np.random.default_rng(seed)
    parts, begins_s, powers, position = [np.zeros(rate_hz, np.float32)], [], [], rate_hz
    for samples in spoken:
        samples = (
            samples / max(float(np.abs(samples).max(initial=0.0)), 1e-9) * 10 ** (generator.uniform(*PEAK_DBFS) / 20)
        )
        powers.append(float((samples**2).mean()))
        gap = _gap(OTHER_GAP_S, rate_hz, generator)
        parts += [samples.astype(np.float32), gap]
        begins_s.append(position / rate_hz)
        position += len(samples) + len(gap)
    behind = None if noise is None else _behind(noise, position, rate_hz, float(np.median(powers)), generator)
    return _stream(np.concatenate(parts), rate_hz, (), behind, generator), begins_s


def _said(
    recordings: Iterable[Recording],
    rate_hz: int,
    seed: int,
    gap_s: tuple[float, float],
    noise: Noise | None,
    *,
    cut: bool,
) -> Stream:
    generator = np.random.default_rng(seed)
    recordings = list(recordings)
    parts = [np.zeros(rate_hz, np.float32)]
    words: list[Word] = []
    powers, position = [], rate_hz
    for number in generator.permutation(len(recordings)):
        recording = recordings[number]
        clip = at_rate(recording, rate_hz)
        clip = clip / max(float(np.abs(clip).max(initial=0.0)), 1e-9) * 10 ** (generator.uniform(*PEAK_DBFS) / 20)
        start_s, end_s = span_s(levels(clip, rate_hz))
        powers.append(float((clip[int(start_s * rate_hz) : int(end_s * rate_hz)] ** 2).mean()))
        if cut:
            begin = max(0, int((start_s - CUT_MARGIN_S) * rate_hz))
            clip = clip[begin : int((end_s + CUT_MARGIN_S) * rate_hz)]
            start_s, end_s = start_s - begin / rate_hz, end_s - begin / rate_hz
        at_s = position / rate_hz
        words.append(Word(recording.label, recording.speaker, at_s + start_s, at_s + end_s, recording.corpus))
        gap = _gap(gap_s, rate_hz, generator)
        parts += [clip, gap]
        position += len(clip) + len(gap)
    behind = None if noise is None else _behind(noise, position, rate_hz, float(np.median(powers)), generator)
    return _stream(np.concatenate(parts), rate_hz, tuple(words), behind, generator)


def _gap(gap_s: tuple[float, float], rate_hz: int, generator: np.random.Generator) -> Samples:
    return np.zeros(int(generator.uniform(*gap_s) * rate_hz), np.float32)


def _of_power_1(samples: Samples) -> Samples:
    return samples / np.float32(np.sqrt((samples**2).mean()) + 1e-4)


def _behind(noise: Noise, n_samples: int, rate_hz: int, power: float, generator: np.random.Generator) -> Samples:
    """The noises one after the other, so far below the words."""
    order = [noise.recordings[number] for number in generator.permutation(len(noise.recordings))]
    sounds = np.concatenate([_of_power_1(at_rate(recording, rate_hz)) for recording in order])
    return np.resize(sounds, n_samples) * np.float32(np.sqrt(power) * 10 ** (-noise.snr_db / 20))


def _stream(
    sound: Samples, rate_hz: int, words: tuple[Word, ...], behind: Samples | None, generator: np.random.Generator
) -> Stream:
    if behind is None:
        behind = (10 ** (HISS_DBFS / 20) * generator.standard_normal(len(sound))).astype(np.float32)
    return Stream(np.clip(sound + behind, -1, 1).astype(np.float32), rate_hz, words)

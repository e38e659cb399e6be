"""Strings of digits: recorded ones, and ones that are put together of one speaker's single digits."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from digitd.daemon.audio import Samples
from digitd.trainer import augment
from digitd.trainer.clips import Clip
from digitd.trainer.corpora import phones
from digitd.trainer.corpora.phones import Track
from digitd.trainer.corpora.said import Said

GAP_LOW_S, GAP_HIGH_S = -0.06, 0.4
"""Between two digits that are put together: from run together to a short pause; short ones are drawn more often."""
DRIFT_DB = 3.0
"""A digit is up to so much louder or softer than the one before."""
REPEATED = 0.22
"""Share of digits that are the one before again."""
RANGE_LOW_DB, RANGE_HIGH_DB = 22.0, 35.0
"""Digits are cut where they fall so far below their loudest."""
FEWEST_LABELS = 5
"""A speaker with fewer different digits has strings put together of hardly more than one."""
LONGEST = 7
"""Digits of a string that is put together."""
FADE_S = 0.005


@dataclass(frozen=True)
class Phrase:
    """Some words in one breath."""

    samples: Samples
    """float32 [n_samples]."""
    words: tuple[Said, ...]
    phones: Track
    """int8 [n_hops]."""


class StringCast:
    """Draws strings.

    Args:
        recorded: strings that somebody, or a program, spoke.
        digits: clips of single digits, of whose speakers those are heard that say at least FEWEST_LABELS of them.
        synthetic_share: of synthetic voices among the recorded strings.
        rate_hz: of the clips.
    """

    def __init__(self, recorded: Sequence[Clip], digits: Sequence[Clip], synthetic_share: float, rate_hz: int) -> None:
        self._recorded = {s: [clip for clip in recorded if clip.recording.synthetic == s] for s in (False, True)}
        self._share, self._rate_hz = synthetic_share, rate_hz
        by_speaker: dict[str, dict[str, list[Clip]]] = defaultdict(lambda: defaultdict(list))
        for clip in digits:
            by_speaker[clip.recording.speaker][clip.recording.label].append(clip)
        self._speakers = [clips for _, clips in sorted(by_speaker.items()) if len(clips) >= FEWEST_LABELS]
        weights = np.sqrt([sum(map(len, clips.values())) for clips in self._speakers])
        self._weights = np.cumsum(weights / weights.sum()) if len(weights) else weights

    @property
    def has_recorded(self) -> bool:
        """Whether any string was recorded."""
        return any(self._recorded.values())

    @property
    def has_composed(self) -> bool:
        """Whether any speaker's digits can be put together."""
        return bool(self._speakers)

    def recorded(self, g: np.random.Generator, longest_s: float) -> Phrase:
        """A stretch of a recorded string, from a pause or between two words on."""
        synthetic = not self._recorded[False] or (bool(self._recorded[True]) and g.random() < self._share)
        clips = self._recorded[synthetic]
        clip = clips[int(g.integers(len(clips)))]
        words = clip.words
        first = 0
        if words[-1].end_s - words[0].start_s > longest_s or g.random() < 0.2:
            first = int(g.integers(len(words)))
        begin_s = 0.0 if first == 0 else (words[first - 1].end_s + words[first].start_s) / 2
        begin_s = max(begin_s, words[first].start_s - 0.3)
        end_s = words[-1].end_s + 0.3
        begin, end = int(begin_s * self._rate_hz), min(int(end_s * self._rate_hz), len(clip.pcm))
        samples = clip.samples[begin:end]
        kept = tuple(Said(w.label, w.start_s - begin_s, w.end_s - begin_s) for w in words[first:])
        return Phrase(faded(samples, self._rate_hz), kept, clip.track(begin, end, self._rate_hz))

    def composed(
        self, g: np.random.Generator, n_digits: int | None = None, fastest: float = 1.0
    ) -> tuple[Clip, Phrase]:
        """Digits of one speaker, one after the other, by default 2 to LONGEST, and a clip that it is of.

        Single digits are said slowly: run together, they are said up to `fastest` times as fast, at the same pitch.
        """
        clips = self._speakers[min(int(np.searchsorted(self._weights, g.random())), len(self._speakers) - 1)]
        labels = sorted(clips)
        tempo = g.random()  # of this string: from run together to spelt out
        level_db, at, label = 0.0, 0, ""
        placed: list[tuple[int, Samples, Track]] = []
        words: list[Said] = []
        for _ in range(n_digits or int(g.integers(2, LONGEST, endpoint=True))):
            if not label or g.random() >= REPEATED:
                label = labels[int(g.integers(len(labels)))]
            clip = clips[label][int(g.integers(len(clips[label])))]
            start_s, end_s = clip.span_s(g.uniform(RANGE_LOW_DB, RANGE_HIGH_DB))
            begin, end = int(start_s * self._rate_hz), int(end_s * self._rate_hz)
            samples = faded(clip.samples[begin:end], self._rate_hz)
            level_db = float(np.clip(level_db + g.uniform(-DRIFT_DB, DRIFT_DB), -8, 8))
            loudest = max(float(np.abs(samples).max(initial=0)), 1e-9)
            track = clip.track(begin, begin + len(samples), self._rate_hz)
            placed.append((at, samples * np.float32(10 ** (level_db / 20) / loudest), track))
            words.append(Said(label, at / self._rate_hz, (at + len(samples)) / self._rate_hz))
            gap_s = GAP_LOW_S + (GAP_HIGH_S - GAP_LOW_S) * tempo * g.random() ** 1.5
            at = max(at + len(samples) // 2, at + len(samples) + int(gap_s * self._rate_hz))
        whole = np.zeros(max(begin + len(samples) for begin, samples, _ in placed), np.float32)
        hop_samples = round(self._rate_hz * phones.HOP_S)
        spoken = np.full(len(whole) // hop_samples, phones.SILENCE, np.int8)
        for begin, samples, track in placed:
            whole[begin : begin + len(samples)] += samples
            phones.overlay(spoken, track, begin // hop_samples)
        speed = 1.0 if fastest == 1 else 1 + (fastest - 1) * (1 - tempo) * g.random()
        return clip, _hastened(Phrase(whole, tuple(words), spoken), self._rate_hz, speed)


def _hastened(phrase: Phrase, rate_hz: int, speed: float) -> Phrase:
    """The same, so many times as fast."""
    if speed == 1:
        return phrase
    samples = augment.hastened(phrase.samples, rate_hz, speed)
    scale = len(samples) / len(phrase.samples)
    words = tuple(Said(word.label, word.start_s * scale, word.end_s * scale) for word in phrase.words)
    return Phrase(samples, words, phones.fitted(phrase.phones, len(samples) // round(rate_hz * phones.HOP_S)))


def faded(samples: Samples, rate_hz: int) -> Samples:
    """With soft ends: a cut is no click."""
    length = min(len(samples) // 2, int(FADE_S * rate_hz))
    softened = samples.copy()
    softened[:length] *= np.linspace(0, 1, length, dtype=np.float32)
    softened[len(softened) - length :] *= np.linspace(1, 0, length, dtype=np.float32)
    return softened

"""Clips -> scenes: some seconds of a day in front of the microphone, with the truth about every moment."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from digitd.daemon.audio import Samples
from digitd.trainer import augment
from digitd.trainer.cast import Cast
from digitd.trainer.clips import WORD_RANGE_DB, Clip
from digitd.trainer.corpora import phones
from digitd.trainer.corpora.phones import Track
from digitd.trainer.corpora.said import Said
from digitd.trainer.phrases import Phrase, StringCast, faded
from digitd.trainer.scene_config import SceneConfig, Timing

UNKNOWN = -1
"""Target of a moment at which any answer will do."""
LONGEST_STRING_S = 3.2
"""Of a longer string, a scene holds only the end."""
PHONE_DELAY_S = 0.06
"""A phone is told of so long after it sounds: the sounds around it tell which it is."""
PAUSE_S = 0.12
"""A word that ends so long before the next is not glued to it."""
UNSURE = frozenset(("o", "oh", "to", "too", "two", "for", "won", "ate"))
"""Within a string nobody knows whether these were meant as digits."""


@dataclass(frozen=True)
class Scene:
    """Some seconds of sound."""

    samples: Samples
    """float32 [n_samples]."""
    targets: NDArray[np.int8]
    """int8 [n_outputs]: which digit has just ended; n_labels where none has; UNKNOWN."""
    phones: Track
    """int8 [n_outputs]: which phone is being spoken, PHONE_DELAY_S before each output."""


@dataclass(frozen=True)
class Due:
    """The end of a word after which something is due."""

    label: str | None
    """The digit; None where any answer will do."""
    end: int
    """Sample within the item."""


@dataclass(frozen=True)
class Item:
    """Something that is heard."""

    samples: Samples
    """float32 [n_samples]."""
    start: int
    end: int
    """Of what is heard in it; the next item follows its end."""
    phones: Track
    """int8 [n_hops]."""
    dues: tuple[Due, ...] = ()


@dataclass(frozen=True)
class Stock:
    """All that scenes are made of."""

    digits: Cast
    words: Cast
    speech: Cast
    strings: StringCast
    noises: Sequence[Samples]
    responses: Sequence[Samples]


class SceneMaker:
    """Makes scene after scene; each hangs on its seed alone."""

    def __init__(
        self, stock: Stock, labels: Sequence[str], config: SceneConfig, timing: Timing, rate_hz: int, output_s: float
    ) -> None:
        self._stock, self._labels, self._config, self._timing = stock, list(labels), config, timing
        self._rate_hz, self._output_s = rate_hz, output_s
        self._hop_samples = round(rate_hz * phones.HOP_S)

    def make(self, seed: Sequence[int]) -> Scene:
        """The scene of a seed."""
        g = augment.seeded(seed)
        config, rate_hz = self._config, self._rate_hz
        said = np.zeros(int(config.length_s * rate_hz), np.float32)
        targets = np.full(int(config.length_s / self._output_s), len(self._labels), np.int8)
        track = np.full(int(config.length_s / phones.HOP_S), phones.SILENCE, np.int8)
        levels: list[float] = []
        silent = g.random() < config.noise_only
        at = 0 if silent else int(g.uniform(0.1, 0.8) * rate_hz)
        loudness_db = g.uniform(-32, 0)
        while not silent and at < len(said) - rate_hz // 4:
            item = self._item(g)
            samples, start, end = item.samples, item.start, item.end
            samples = samples * np.float32(
                10 ** ((loudness_db + g.uniform(-5, 5)) / 20) / max(np.abs(samples).max(), 1e-9)
            )
            room_left = len(said) - at
            said[at : at + len(samples)] += samples[:room_left]
            power = float((samples[start:end] ** 2).mean()) if end > start else 0.0
            if power > 0:
                levels.append(power)
            phones.overlay(track, item.phones, at // self._hop_samples)
            for due in item.dues:
                self._mark(targets, due.label, (at + due.end) / rate_hz)
            at += end + int(self._gap_s(g) * rate_hz)
        if not silent and g.random() < config.reverberant:
            said = augment.room(said, rate_hz, self._stock.responses, g)
        sound = said + self._background(levels, len(said), g)
        sound = augment.microphone(sound, rate_hz, g)
        peak = float(np.abs(sound).max())
        if peak > 1 or g.random() < 0.3:
            sound = sound / max(peak, 1e-9) * np.float32(10 ** (g.uniform(-40, 0) / 20))
        hiss = g.standard_normal(len(sound)).astype(np.float32) * np.float32(10 ** (g.uniform(-95, -55) / 20))
        pcm = np.round(np.clip(sound + hiss, -1, 1) * 32767) / 32767
        return Scene(pcm.astype(np.float32), targets, self._spoken_at_outputs(track))

    def _spoken_at_outputs(self, track: Track) -> Track:
        times_s = (np.arange(int(self._config.length_s / self._output_s)) + 1) * self._output_s - PHONE_DELAY_S
        found: Track = track[np.clip((times_s / phones.HOP_S).astype(int), 0, len(track) - 1)]
        return found

    def _gap_s(self, g: np.random.Generator) -> float:
        low, high = self._config.gap_low_s, self._config.gap_high_s
        return float(low + (high - low) * g.random() ** 2)

    def _mark(self, targets: NDArray[np.int8], label: str | None, end_s: float) -> None:
        timing = self._timing
        times_s = (np.arange(len(targets)) + 1) * self._output_s - end_s
        targets[(times_s > timing.settled_s - timing.margin_s) & (times_s < timing.over_s + timing.margin_s)] = UNKNOWN
        if label is not None:
            due = (times_s >= timing.settled_s) & (times_s <= timing.over_s)
            targets[due] = self._labels.index(label)

    def _item(self, g: np.random.Generator) -> Item:
        """What comes next."""
        config = self._config
        makers = (
            (config.digits, self._digit),
            (config.words, self._word),
            (config.speech, self._excerpt),
            (config.halves, self._half),
            (config.doubles, self._double),
            (config.things, self._thing),
            (config.strings, self._string),
            (config.glued, self._glued),
        )
        shares = np.cumsum([share for share, _ in makers])
        return makers[int(np.searchsorted(shares / shares[-1], g.random()))][1](g)

    def _digit(self, g: np.random.Generator) -> Item:
        label = self._labels[g.integers(len(self._labels))]
        item = self._spoken(self._stock.digits.draw(g, label), g)
        return replace(item, dues=(Due(label, item.end),))

    def _word(self, g: np.random.Generator) -> Item:
        return self._spoken(self._stock.words.draw(g), g)

    def _thing(self, g: np.random.Generator) -> Item:
        sound = augment.thing(self._rate_hz, g)
        return Item(sound, 0, len(sound), np.full(len(sound) // self._hop_samples, phones.SILENCE, np.int8))

    def _spoken(self, clip: Clip, g: np.random.Generator) -> Item:
        """A clip, cut more or less close, by a varied voice."""
        rate_hz, whole = self._rate_hz, clip.samples
        range_db, margin_s = WORD_RANGE_DB, 0.05
        if g.random() < self._config.tight:
            range_db, margin_s = g.uniform(15, 30), 0.01
        elif g.random() < 0.3:
            margin_s = g.uniform(0.0, 0.3)
        start_s, end_s = clip.span_s(range_db)
        begin = max(0, int((start_s - margin_s) * rate_hz))
        cut = whole[begin : int((end_s + margin_s) * rate_hz)]
        spoken = faded(augment.voice(cut, rate_hz, g), rate_hz)
        scale = len(spoken) / max(len(cut), 1)
        start = int((start_s * rate_hz - begin) * scale)
        end = min(len(spoken), int((end_s * rate_hz - begin) * scale))
        track = phones.fitted(clip.track(begin, begin + len(cut), rate_hz), len(spoken) // self._hop_samples)
        return Item(spoken, start, end, track)

    def _excerpt(self, g: np.random.Generator) -> Item:
        clip = self._stock.speech.draw(g)
        first, last = (int(at_s * self._rate_hz) for at_s in clip.span_s())
        last = min(last, len(clip.pcm))
        length = int(g.uniform(0.4, 3.0) * self._rate_hz)
        begin = first + int(g.integers(max(1, last - first - length)))
        end = min(begin + length, last)
        spoken = augment.voice(clip.samples[begin:end], self._rate_hz, g)
        track = phones.fitted(clip.track(begin, end, self._rate_hz), len(spoken) // self._hop_samples)
        return Item(spoken, 0, len(spoken), track)

    def _half(self, g: np.random.Generator) -> Item:
        digit = self._spoken(self._stock.digits.draw(g), g)
        middle = digit.start + int((digit.end - digit.start) * g.uniform(0.3, 0.55))
        hop = middle // self._hop_samples
        if g.random() < 0.5:
            return Item(digit.samples[:middle], 0, middle, digit.phones[:hop])
        return Item(digit.samples[middle:], 0, len(digit.samples) - middle, digit.phones[hop:])

    def _double(self, g: np.random.Generator) -> Item:
        digit = self._spoken(self._stock.digits.draw(g), g)
        other = self._spoken((self._stock.digits if g.random() < 0.5 else self._stock.words).draw(g), g)
        return self._together([digit, other] if g.random() < 0.5 else [other, digit], g)

    def _glued(self, g: np.random.Generator) -> Item:
        words = [self._word(g) for _ in range(int(g.integers(1, 2, endpoint=True)))]
        words.insert(int(g.integers(len(words), endpoint=True)), self._digit(g))
        joined = self._together(words, g)
        unsure = tuple(Due(None, due.end) for due in joined.dues)
        return replace(joined, dues=unsure)

    def _together(self, items: Sequence[Item], g: np.random.Generator) -> Item:
        """Run together; what is due after the last is due after all."""
        begins, at = [0], items[0].end
        for item in items[1:]:
            begins.append(max(0, at - item.start + int(g.uniform(-0.06, 0.03) * self._rate_hz)))
            at = begins[-1] + item.end
        together = np.zeros(max(b + len(item.samples) for b, item in zip(begins, items, strict=True)), np.float32)
        track = np.full(len(together) // self._hop_samples, phones.SILENCE, np.int8)
        for begin, item in zip(begins, items, strict=True):
            together[begin : begin + len(item.samples)] += item.samples
            phones.overlay(track, item.phones, begin // self._hop_samples)
        end = min(len(together), at)
        return Item(together, 0, end, track, tuple(Due(due.label, end) for due in items[-1].dues))

    def _string(self, g: np.random.Generator) -> Item:
        strings = self._stock.strings
        recorded = strings.has_recorded and (not strings.has_composed or g.random() < self._config.recorded)
        phrase = (
            strings.recorded(g, LONGEST_STRING_S) if recorded else strings.composed(g, fastest=self._config.fastest)[1]
        )
        spoken = augment.voice(phrase.samples, self._rate_hz, g)
        scale = len(spoken) / max(len(phrase.samples), 1) * self._rate_hz
        due = tuple(Due(label, int(end_s * scale)) for label, end_s in dues(phrase))
        track = phones.fitted(phrase.phones, len(spoken) // self._hop_samples)
        start, end = (int(at_s * scale) for at_s in (phrase.words[0].start_s, phrase.words[-1].end_s))
        return Item(spoken, start, end, track, due)

    def _background(self, levels: list[float], n_samples: int, g: np.random.Generator) -> Samples:
        if g.random() >= self._config.noisy and levels:
            return np.zeros(n_samples, np.float32)
        kind = g.random()
        if kind < 0.7 and len(self._stock.noises):
            noise = self._noise(n_samples, g)
        elif kind < 0.8:
            noise = self._babble(n_samples, g)
        else:
            noise = augment.coloured_noise(n_samples, self._rate_hz, g)
        noise = noise / np.float32(np.sqrt((noise**2).mean()) + 1e-4)
        if not levels:
            return noise * np.float32(10 ** (g.uniform(-50, -12) / 20))
        snr_db = g.uniform(self._config.snr_low_db, self._config.snr_high_db)
        return noise * np.float32(np.sqrt(np.median(levels)) * 10 ** (-snr_db / 20))

    def _noise(self, n_samples: int, g: np.random.Generator) -> Samples:
        noise = self._stock.noises[int(g.integers(len(self._stock.noises)))]
        if len(noise) > n_samples:
            begin = g.integers(len(noise) - n_samples)
            return noise[begin : begin + n_samples]
        return np.resize(np.roll(noise, int(g.integers(len(noise)))), n_samples)

    def _babble(self, n_samples: int, g: np.random.Generator) -> Samples:
        voices = np.zeros(n_samples, np.float32)
        for _ in range(int(g.integers(3, 8))):
            spoken = self._stock.speech.draw(g).samples
            spoken = spoken / np.float32(np.sqrt((spoken**2).mean()) + 1e-6)
            voices += np.resize(np.roll(spoken, int(g.integers(len(spoken)))), n_samples)
        return voices


def dues(phrase: Phrase) -> list[tuple[str | None, float]]:
    """Digit, or None where any answer will do, and end of the words of a phrase after which something may be due."""
    found: list[tuple[str | None, float]] = []
    words = phrase.words
    for word, before, after in zip(words, (None, *words), (*words[1:], None), strict=False):
        if word.is_digit:
            sure = _parted(before, word) and _parted(word, after) and not (before and before.label.endswith("ty"))
            found.append((word.label if sure else None, word.end_s))
        elif word.label in UNSURE:
            found.append((None, word.end_s))
    return found


def _parted(word: Said | None, after: Said | None) -> bool:
    """Whether two neighbours, of whom one is a digit, are digits both, or have a pause between them."""
    if word is None or after is None:
        return True
    return (word.is_digit and after.is_digit) or after.start_s - word.end_s >= PAUSE_S

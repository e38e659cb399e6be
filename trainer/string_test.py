"""A bundle on strings of digits, recorded ones and ones put together, through the daemon's whole pipeline."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rapidfuzz.distance import Levenshtein

from digitd.daemon.events import Digit
from digitd.daemon.mode import Mode
from digitd.daemon.spotter import Spotter
from digitd.trainer import clips
from digitd.trainer.compose import Noise, Stream, phrases
from digitd.trainer.corpora.recording import Recording
from digitd.trainer.field_test import MODES, FieldTest
from digitd.trainer.phrases import Phrase, StringCast
from digitd.trainer.scores import Word, assigned_to_spans, share_right

LENGTHS = range(1, 13)
PER_LENGTH = 15
"""Strings put together of each length."""
SNR_DB = 10
"""Of the recorded strings in noise."""
SEED = 1


@dataclass(frozen=True)
class Strings:
    """A stream and the strings in it."""

    stream: Stream
    strings: tuple[tuple[Word, ...], ...]


def recorded(recordings: Iterable[Recording], rate_hz: int, noise: Noise | None = None) -> Strings | None:
    """All strings that people spoke and that hold nothing but digits; None where there are none."""
    loaded = clips.load([r for r in recordings if r.kind == "string"], rate_hz, "strings")
    pure = [clip for clip in loaded if all(word.is_digit for word in clip.words)]
    spoken = [
        (clip.recording, Phrase(clip.samples, clip.words, clip.track(0, len(clip.pcm), rate_hz))) for clip in pure
    ]
    return _placed(spoken, rate_hz, noise) if spoken else None


def composed(recordings: Iterable[Recording], labels: Sequence[str], rate_hz: int) -> Strings | None:
    """PER_LENGTH strings of each of LENGTHS, of one speaker each; None where nobody says enough different digits."""
    words = [r for r in recordings if r.kind == "word" and r.label in labels]
    cast = StringCast([], clips.load(words, rate_hz, "digits"), 0.0, rate_hz)
    if not cast.has_composed:
        return None
    generator = np.random.default_rng(SEED)
    drawn = [cast.composed(generator, length) for length in LENGTHS for _ in range(PER_LENGTH)]
    return _placed([(clip.recording, phrase) for clip, phrase in drawn], rate_hz, None)


def _placed(spoken: list[tuple[Recording, Phrase]], rate_hz: int, noise: Noise | None) -> Strings:
    stream, begins_s = phrases([phrase.samples for _, phrase in spoken], rate_hz, SEED, noise)
    strings = tuple(
        tuple(
            Word(word.label, recording.speaker, begin_s + word.start_s, begin_s + word.end_s, recording.corpus)
            for word in phrase.words
        )
        for (recording, phrase), begin_s in zip(spoken, begins_s, strict=True)
    )
    return Strings(stream, strings)


def compose(recordings: Sequence[Recording], labels: Sequence[str], rate_hz: int) -> dict[str, Strings]:
    """The strings of a part: recorded ones, the same in its noises, and ones put together."""
    noises = [r for r in recordings if r.kind == "noise"]
    found = {
        "recorded": recorded(recordings, rate_hz),
        f"recorded, {SNR_DB} dB": recorded(recordings, rate_hz, Noise(noises, SNR_DB)) if noises else None,
        "put together": composed(recordings, labels, rate_hz),
    }
    return {name: strings for name, strings in found.items() if strings}


def measured(spotter: Spotter, found: Mapping[str, Strings]) -> dict[Mode, dict[str, Any]]:
    """Of each mode what `summary` gives of each kind of strings."""
    test = FieldTest(spotter)
    return {
        mode: {name: summary(strings, test.digits(strings.stream, mode)) for name, strings in found.items()}
        for mode in MODES
    }


def summary(found: Strings, digits: Sequence[Digit]) -> dict[str, Any]:
    """Strings wholly right, by length too; substitutions, deletions, insertions; latency; how far off the ends are."""
    spans = [(words[0].start_s, words[-1].end_s) for words in found.strings]
    heard, outside = assigned_to_spans(spans, digits)
    errors: Counter[str] = Counter(insert=len(outside))
    by_length: dict[int, list[bool]] = defaultdict(list)
    late_s: list[float] = []
    off_s: list[float] = []
    for words, events in zip(found.strings, heard, strict=True):
        said, got = "".join(word.label for word in words), "".join(event.digit for event in events)
        operations = Levenshtein.opcodes(said, got)
        for step in operations:
            if step.tag == "equal":
                pairs = zip(words[step.src_start : step.src_end], events[step.dest_start : step.dest_end], strict=True)
                for word, event in pairs:
                    late_s.append(event.emitted_s - word.end_s)
                    off_s.append(event.end_s - word.end_s)
            else:
                errors[step.tag] += max(step.src_end - step.src_start, step.dest_end - step.dest_start)
        by_length[len(words)].append(said == got)
    n_digits = sum(map(len, found.strings))
    n_right = sum(sum(right) for right in by_length.values())
    return {
        "strings": share_right(n_right, len(found.strings)),
        "digits": n_digits,
        "substitutions": errors["replace"],
        "deletions": errors["delete"],
        "insertions": errors["insert"],
        "digit_error_rate": round(errors.total() / n_digits, 4),
        "lengths": {str(n): share_right(sum(right), len(right)) for n, right in sorted(by_length.items())},
        "latency_s": _quantiles(late_s),
        "end_off_s": round(float(np.median(np.abs(off_s))), 3) if off_s else None,
    }


def _quantiles(values: list[float]) -> dict[str, float]:
    return {f"p{q}": round(float(np.percentile(values, q)), 3) for q in (50, 95)} if values else {}

"""A part of a split -> all that its scenes are made of."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from digitd.daemon.errors import CorpusError
from digitd.trainer import clips
from digitd.trainer.cast import Cast
from digitd.trainer.clips import Clip
from digitd.trainer.corpora import phones
from digitd.trainer.corpora.recording import DIGIT_WORDS, Recording
from digitd.trainer.phrases import StringCast
from digitd.trainer.scenes import Stock

HOMOPHONES = frozenset(("to", "too", "tu", "for", "fore", "ate", "won", "oh", "o", "owe", "nein", "sicks"))
"""By ear they are the digit, or its second name: only what stands around them tells, so they are no negatives."""

WORDS_SYNTHETIC = 0.4
SPEECH_SYNTHETIC = 0.35
"""Shares of synthetic voices where no digit is said."""
STRINGS_SYNTHETIC = 0.55
"""The same among recorded strings: of people there are a few hundred."""


def is_negative(recording: Recording, labels: Sequence[str]) -> bool:
    """Whether nobody would hear a digit in it."""
    if recording.label in labels:
        return False
    words = set(re.findall(r"[a-z']+", recording.label.lower()))
    if recording.kind == "word":
        return not words & (HOMOPHONES | set(DIGIT_WORDS))
    return recording.kind == "speech" and not words & {*DIGIT_WORDS, "oh"}


def stock(
    recordings: Iterable[Recording],
    labels: Sequence[str],
    rate_hz: int,
    synthetic: float,
    title: str,
    *,
    with_phones: bool = False,
) -> Stock:
    """Everything in memory, at the network's rate.

    Raises:
        AudioError: a recording is damaged.
        CorpusError: something that scenes need is missing.
    """
    recordings = list(recordings)
    chosen = {
        "digits": [r for r in recordings if r.kind == "word" and r.label in labels],
        "other words": [r for r in recordings if r.kind == "word" and is_negative(r, labels)],
        "running speech": [r for r in recordings if r.kind == "speech" and is_negative(r, labels)],
    }
    for what, members in chosen.items():
        if not members:
            raise CorpusError(f"the {title} part has no {what}, of which scenes are made; add a corpus that has")
    digits, words, speech = (clips.load(members, rate_hz, f"{title}: {what}") for what, members in chosen.items())
    strings = clips.load([r for r in recordings if r.kind == "string"], rate_hz, f"{title}: strings")
    if with_phones:
        digits, words, speech, strings = (_with_phones(members, title) for members in (digits, words, speech, strings))
    sounds = {
        kind: [clip.samples for clip in clips.load([r for r in recordings if r.kind == kind], rate_hz, title)]
        for kind in ("noise", "room")
    }
    return Stock(
        Cast(digits, synthetic),
        Cast(words, WORDS_SYNTHETIC),
        Cast(speech, SPEECH_SYNTHETIC),
        StringCast(strings, digits, STRINGS_SYNTHETIC, rate_hz),
        sounds["noise"],
        sounds["room"],
    )


def _with_phones(members: list[Clip], title: str) -> list[Clip]:
    tracks = phones.tracks([clip.recording for clip in members], title)
    return [replace(clip, phones=track) for clip, track in zip(members, tracks, strict=True)]

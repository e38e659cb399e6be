"""Where the words of a known text lie in a recording: pocketsphinx's forced alignment."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from digitd.daemon.audio import Samples
from digitd.trainer.corpora.recording import digit_or_word
from digitd.trainer.corpora.said import Said

ALIGNER_HZ = 16000
FRAME_S = 0.01
SHORTEST_S, LONGEST_S = 0.08, 1.2
"""A digit of another length was not found where it is."""


@cache
def _aligner() -> Any:
    """One a process: it takes a tenth of a second to begin."""
    from pocketsphinx import Decoder

    return Decoder(lm=None, bestpath=False, loglevel="FATAL")


@dataclass(frozen=True)
class PhoneAlignment:
    """Where the phones of a text lie."""

    phones: tuple[tuple[str, int, int], ...]
    """Name, first and last frame (exclusive) of FRAME_S."""
    score: float
    """Log likelihood, to be compared with that of other texts of the same recording."""


def aligned(samples: Samples, text: str) -> tuple[Said, ...]:
    """The words of float32 [n_samples] at ALIGNER_HZ; none where the text does not fit what is heard."""
    aligner = _heard(samples, text)
    segments = list(aligner.seg()) if aligner and aligner.hyp() else []
    words = tuple(
        Said(digit_or_word(name), segment.start_frame * FRAME_S, (segment.end_frame + 1) * FRAME_S)
        for segment in segments
        if (name := segment.word.partition("(")[0]) and name[0].isalpha()
    )
    if [word.label for word in words] != [digit_or_word(word) for word in text.lower().split()]:
        return ()
    return words


def phones_of(samples: Samples, text: str) -> PhoneAlignment | None:
    """The phones of float32 [n_samples] at ALIGNER_HZ; None where the text does not fit what is heard."""
    aligner = _heard(samples, text)
    found = aligner.hyp() if aligner else None
    if not aligner or not found:
        return None
    aligner.set_alignment()
    _push(aligner, samples)
    phones = tuple(
        (phone.name, phone.start, phone.start + phone.duration) for word in aligner.get_alignment() for phone in word
    )
    return PhoneAlignment(
        tuple(("SIL" if name.startswith("+") else name, a, b) for name, a, b in phones), found.best_score
    )


def _heard(samples: Samples, text: str) -> Any:
    """The aligner after it has heard the text said; None where it has no such words, or nothing of them was heard."""
    aligner = _aligner()
    try:
        aligner.set_align_text(text)
        _push(aligner, samples)
    except (RuntimeError, ValueError):
        return None
    return aligner


def _push(aligner: Any, samples: Samples) -> None:
    aligner.start_utt()
    aligner.process_raw((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes(), full_utt=True)
    aligner.end_utt()


def plausible(word: Said) -> bool:
    """Whether a digit is as long as digits are."""
    return not word.is_digit or SHORTEST_S <= word.end_s - word.start_s <= LONGEST_S

"""Texts of digit strings as people say them: in groups, after a carrier, with "oh" or "zero"."""

from collections.abc import Iterator

import numpy as np

from digitd.trainer.corpora.recording import DIGIT_WORDS

OPENERS = (
    "my number is", "the number is", "the code is", "call me at", "please dial", "room", "extension", "flight",
    "it is", "account number", "my pin is", "the answer is", "page", "channel", "enter", "dial", "bus", "that makes",
)  # fmt: skip
CLOSERS = ("please", "thank you", "thanks", "is my number", "is right", "and that is all", "again", "percent")
OPENED, CLOSED, GROUPED, REPEATED, OH = 0.25, 0.12, 0.4, 0.15, 0.5
"""Shares: of texts with an opener, with a closer, in groups; of digits that are the one before again; of texts that say
"oh" for zero."""
LONGEST = 8
"""Digits of a text."""


def texts(generator: np.random.Generator) -> Iterator[str]:
    """One after the other, without end; a comma is a short pause."""
    while True:
        words = _digits(generator)
        if generator.random() < OPENED:
            words = [*str(generator.choice(OPENERS)).split(), *words]
        if generator.random() < CLOSED:
            words = [*words, *str(generator.choice(CLOSERS)).split()]
        yield " ".join(words)


def _digits(generator: np.random.Generator) -> list[str]:
    says_oh, grouped = generator.random() < OH, generator.random() < GROUPED
    words: list[str] = []
    digit = 0
    for _ in range(int(generator.integers(2, LONGEST, endpoint=True))):
        if not words or generator.random() >= REPEATED:
            digit = int(generator.integers(10))
        if grouped and words and generator.random() < 1 / 3:
            words[-1] += ","
        words.append("oh" if says_oh and digit == 0 else DIGIT_WORDS[digit])
    return words

"""The one value that every reader yields."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["word", "speech", "noise", "room"]
"""One word; running speech; no speech at all; the impulse response of a room."""

SYNTHETIC = "synthetic"
"""How the names of corpora begin that a program spoke."""

DIGIT_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@dataclass(frozen=True, order=True)
class Recording:
    """One file in which one speaker says one thing."""

    path: Path
    label: str
    """A digit "0" to "9", or the word that was said."""
    speaker: str
    """Unique over all corpora."""
    corpus: str
    kind: Kind = "word"

    @property
    def synthetic(self) -> bool:
        """Whether a program spoke it."""
        return self.corpus.startswith(SYNTHETIC)


def label_of(word: str) -> str:
    """The digit of a digit's name, any other word as it is."""
    return str(DIGIT_WORDS.index(word)) if word in DIGIT_WORDS else word

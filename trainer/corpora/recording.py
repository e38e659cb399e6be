"""The one value that every reader yields."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["word", "string", "speech", "noise", "room"]
"""One word; words with digits among them, whose places are known (see `said`); running speech; no speech at all; the
impulse response of a room."""

SYNTHETIC = "synthetic"
"""How the names of corpora begin that a program spoke."""

DIGIT_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@dataclass(frozen=True, order=True)
class Recording:
    """One file in which one speaker says one thing."""

    path: Path
    label: str
    """A digit "0" to "9", the word or the text that was said."""
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


def digit_or_word(word: str) -> str:
    """As `label_of`, where "oh" is a digit's name: among other digits."""
    return "0" if word == "oh" else label_of(word)

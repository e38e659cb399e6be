"""Which words lie where in a recording: a table beside it, `<name>.words.tsv`, a line a word."""

from dataclasses import dataclass
from pathlib import Path

from digitd.daemon.errors import CorpusError

SUFFIX = ".words.tsv"


@dataclass(frozen=True, order=True)
class Said:
    """A word within a recording."""

    label: str
    """A digit "0" to "9", or the word."""
    start_s: float
    end_s: float

    @property
    def is_digit(self) -> bool:
        """Whether it is one."""
        return self.label.isdigit()


def table_of(recording: Path) -> Path:
    """Where the words of a recording are written."""
    return recording.with_suffix(SUFFIX)


def written(words: tuple[Said, ...]) -> str:
    """The table's text."""
    return "".join(f"{word.start_s:.2f}\t{word.end_s:.2f}\t{word.label}\n" for word in words)


def read(recording: Path) -> tuple[Said, ...]:
    """The words of a recording, in their order.

    Raises:
        CorpusError: the table is missing or damaged.
    """
    path = table_of(recording)
    try:
        rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
        return tuple(Said(label, float(start_s), float(end_s)) for start_s, end_s, label in rows)
    except (OSError, ValueError) as error:
        raise CorpusError(
            f"{path}: is no table of words ({error}); delete the recording's folder to make it anew"
        ) from error

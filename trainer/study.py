"""A study: one training a row, each on every split, and pictures of what came of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from digitd.daemon.settings import setting
from digitd.trainer.runfile import Run, check_name


@dataclass(frozen=True)
class Row:
    """What a row is, beside its run."""

    name: str
    groups: tuple[str, ...]
    """Rows of a group differ in one thing, and are compared."""
    title: str = ""
    founder: str = ""
    """What the founding study found with it."""
    reaches: float = setting(0.0, at_least=0, at_most=1)
    """A test accuracy that the founding study reached; 0: none is claimed."""
    does_not_overfit: bool = False
    """The founding study found that it does not overfit."""

    def __post_init__(self) -> None:
        check_name(self.name)


@dataclass(frozen=True)
class Picture:
    """A picture or table made of a finished row."""

    name: str
    kind: Literal["gallery", "evaluation", "layers", "recording"]
    of: str
    """The job whose network or features it shows: ROW-SPLIT."""
    title: str = ""
    part: Literal["train", "validation", "test", "all"] = "test"
    """Of which part of the split, for `evaluation`."""
    file: str = ""
    """A recording, for `layers` and `recording`; environment variables are filled in, relative to the study file."""

    def __post_init__(self) -> None:
        check_name(self.name)
        if self.kind in ("layers", "recording") and not self.file:
            raise ValueError(f"{self.name}: a picture of kind {self.kind!r} needs a file; name a recording")


@dataclass(frozen=True)
class Job:
    """One training: a row on a split."""

    row: Row
    split: str
    run: Run

    @property
    def name(self) -> str:
        """ROW-SPLIT."""
        return self.run.name

    def is_asked(self, names: Sequence[str]) -> bool:
        """Whether it or its row is named; no names ask for all."""
        return not names or self.name in names or self.row.name in names


@dataclass(frozen=True)
class Study:
    """What a study file asks for, checked."""

    name: str
    title: str
    path: Path
    jobs: tuple[Job, ...]
    pictures: tuple[Picture, ...]
    about: str = ""
    """What a reader of the report should know first; Markdown."""

    @property
    def names(self) -> list[str]:
        """What can be asked for: rows, jobs, pictures."""
        rows = dict.fromkeys(job.row.name for job in self.jobs)
        return [*rows, *(job.name for job in self.jobs), *(picture.name for picture in self.pictures)]

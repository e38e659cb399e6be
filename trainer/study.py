"""A study file: one training a row, each on every split, and pictures of what came of them."""

import copy
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from digitd.daemon.errors import ConfigError
from digitd.daemon.settings import KeyPath, from_table, line_numbers, nearest, parse_table, read_text, setting
from digitd.trainer.runfile import Run


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


@dataclass(frozen=True)
class Study:
    """A study file, checked."""

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


ROW_KEYS = tuple(Row.__dataclass_fields__)
KEYS = ("name", "title", "about", "extends", "leave_out", "base", "splits", "rows", "pictures")


def read_study(path: Path) -> Study:
    """The study of a TOML file.

    Each row is laid over `base`: what it does not say, `base` says. In the same way a file is laid over the one that it
    `extends`, of whose rows it may `leave_out` some.

    Raises:
        ConfigError: all its problems.
    """
    text = read_text(path)
    table, lines = parse_table(text, str(path)), line_numbers(text)
    if parent := table.get("extends"):
        above = path.parent / str(parent)
        table, lines = laid_over(parse_table(read_text(above), str(above)), table), {}  # lines would be the parent's
    reader = _Reader(str(path), lines, [])
    reader.check_shape(table)
    left_out = table.get("leave_out", [])
    rows = enumerate(table["rows"])
    jobs = [job for number, row in rows for job in reader.jobs(table, row, number) if job.row.name not in left_out]
    pictures = reader.pictures(table.get("pictures", []), [job.name for job in jobs])
    if reader.problems:
        raise ConfigError("\n".join(dict.fromkeys(reader.problems)))
    return Study(table["name"], table["title"], path, tuple(jobs), tuple(pictures), str(table.get("about", "")).strip())


def laid_over(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """`own` over `base`, table by table; an array is replaced whole."""
    merged = copy.deepcopy(dict(base))
    for key, value in own.items():
        below = merged.get(key)
        merged[key] = laid_over(below, value) if isinstance(value, dict) and isinstance(below, dict) else value
    return merged


@dataclass
class _Reader:
    origin: str
    lines: dict[KeyPath, int]
    problems: list[str]

    def check_shape(self, table: dict[str, Any]) -> None:
        """Raises ConfigError where the tables are not there to be looked into."""
        unknown = sorted(table.keys() - set(KEYS))
        if unknown:
            raise ConfigError(f"{self.origin}: {unknown[0]}: unknown key{nearest(unknown[0], KEYS)}")
        for key, kind in (("name", str), ("title", str), ("base", dict), ("splits", list), ("rows", list)):
            if not isinstance(table.get(key), kind):
                raise ConfigError(f"{self.origin}: {key}: missing or of the wrong type; a study has {', '.join(KEYS)}")
        arrays = [table["splits"], table["rows"], table.get("pictures", [])]
        arrays += [row.get("splits", []) for row in table["rows"] if isinstance(row, dict)]
        for array in arrays:
            if not isinstance(array, list) or not all(isinstance(entry, dict) for entry in array):
                raise ConfigError(f"{self.origin}: splits, rows and pictures must be arrays of tables")

    def jobs(self, table: dict[str, Any], row: dict[str, Any], number: int) -> list[Job]:
        """A row on each of its own splits, or of the study's."""
        at = ("rows", str(number))
        head = self.checked(Row, {key: row[key] for key in ROW_KEYS if key in row}, at)
        own = {key: value for key, value in row.items() if key not in (*ROW_KEYS, "splits")}
        jobs = []
        for split in row.get("splits", table["splits"]):
            config = {key: value for key, value in split.items() if key != "name"}
            name = f"{row.get('name')}-{split.get('name')}"
            run = self.checked(Run, laid_over(table["base"], {**own, "name": name, "split": config}), at)
            if head is not None and run is not None:
                jobs.append(Job(head, str(split.get("name")), run))
        return jobs

    def pictures(self, entries: list[dict[str, Any]], jobs: list[str]) -> list[Picture]:
        """The pictures, each of a job that there is."""
        pictures = [self.checked(Picture, entry, ("pictures", str(number))) for number, entry in enumerate(entries)]
        found = [picture for picture in pictures if picture is not None]
        self.problems += [
            f"{self.origin}: pictures: {picture.name}: no row {picture.of!r}{nearest(picture.of, jobs)}"
            for picture in found
            if picture.of not in jobs and not self.problems  # a row with a problem of its own is not in `jobs`
        ]
        self.check_once([*jobs, *(picture.name for picture in found)])
        return found

    def checked(self, cls: type[Any], table: dict[str, Any], at: KeyPath) -> Any:
        """A value of `cls`, or None where problems were found."""
        try:
            return from_table(cls, table, self.origin, self.lines, at)
        except ConfigError as error:
            self.problems += str(error).splitlines()
            return None

    def check_once(self, names: Iterable[str]) -> None:
        """Each name may stand once: it becomes a folder."""
        self.problems += [
            f"{self.origin}: {name!r} stands {count} times; give each row, split and picture a name of its own"
            for name, count in Counter(names).items()
            if count > 1
        ]

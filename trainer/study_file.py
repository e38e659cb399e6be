"""A study file -> a study, strictly: every problem at once, each with its place."""

import copy
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from digitd.daemon.errors import ConfigError
from digitd.daemon.origin import KeyPath, line_numbers
from digitd.daemon.settings import from_table, nearest, parse_table, read_text
from digitd.trainer.networks import NETWORKS, STREAM_NETWORKS
from digitd.trainer.runfile import Run, check_name
from digitd.trainer.study import Job, Picture, Row, Study


@dataclass(frozen=True)
class _Head:
    """What a study file says beside its base, splits, rows and pictures."""

    name: str
    title: str
    about: str = ""
    extends: str = ""
    leave_out: tuple[str, ...] = ()
    """Rows of the study that it extends."""

    def __post_init__(self) -> None:
        check_name(self.name)


@dataclass(frozen=True)
class _SplitHead:
    name: str

    def __post_init__(self) -> None:
        check_name(self.name)


HEAD_KEYS, ROW_KEYS = (tuple(cls.__dataclass_fields__) for cls in (_Head, Row))
TABLES = ("splits", "rows", "pictures")
KEYS = (*HEAD_KEYS, "base", *TABLES)
NOT_INHERITED = ("about", "extends", "leave_out")


def read_study(path: Path) -> Study:
    """The study of a TOML file.

    Each row is laid over `base`: what it does not say, `base` says. In the same way a file is laid over the one that it
    `extends`, of whose rows it may `leave_out` some.

    Raises:
        ConfigError: all its problems.
    """
    table, lines = _extended(path, ())
    reader = _Reader(str(path), lines, [])
    reader.check_shape(table)
    head = reader.checked(_Head, {key: table[key] for key in HEAD_KEYS if key in table}, ())
    reader.check_base(table["base"])
    reader.raise_problems()
    rows = [row.get("name") for row in table["rows"]]
    reader.check_known("leave_out", head.leave_out, rows)
    numbered = [(number, row) for number, row in enumerate(table["rows"]) if row.get("name") not in head.leave_out]
    jobs = [job for number, row in numbered for job in reader.jobs(table, row, number)]
    pictures = reader.pictures(table.get("pictures", []), [job.name for job in jobs])
    reader.check_once([row.get("name") for _, row in numbered])
    reader.check_once([*dict.fromkeys(job.name for job in jobs), *(picture.name for picture in pictures)])
    reader.raise_problems()
    return Study(head.name, head.title, path, tuple(jobs), tuple(pictures), head.about.strip())


def _extended(path: Path, below: tuple[Path, ...]) -> tuple[dict[str, Any], dict[KeyPath, int]]:
    """The table of a file over those that it extends; its lines where it extends none, else they would be another's."""
    text = read_text(path)
    if path.resolve() in below:
        raise ConfigError(f"{path}: extends: leads back to itself; name another study")
    table = parse_table(text, str(path))
    parent = table.get("extends")
    if not isinstance(parent, str) or not parent:
        return table, line_numbers(text)
    above, _ = _extended(path.parent / parent, (*below, path.resolve()))
    return laid_over(_inherited(above), table), {}


def _inherited(above: Mapping[str, Any]) -> dict[str, Any]:
    """What a study hands on: all but what is its own, and without the rows that it leaves out itself."""
    kept = {key: value for key, value in above.items() if key not in NOT_INHERITED}
    left_out, rows = above.get("leave_out"), above.get("rows")
    if isinstance(left_out, list) and _is_array_of_tables(rows):
        kept["rows"] = [row for row in above["rows"] if row.get("name") not in left_out]
    return kept


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
        if not isinstance(table.get("base"), dict):
            raise ConfigError(f"{self.origin}: base: missing or no table; a study has {', '.join(KEYS)}")
        arrays = {key: table.get(key, [] if key == "pictures" else None) for key in TABLES}
        for key, array in arrays.items():
            if not _is_array_of_tables(array) or (key != "pictures" and not array):
                raise ConfigError(f"{self.origin}: {key} must be an array of tables: [[{key}]]")
        for row in table["rows"]:
            if "splits" in row and not (_is_array_of_tables(row["splits"]) and row["splits"]):
                raise ConfigError(f"{self.origin}: splits of row {row.get('name')!r} must be an array of tables")

    def check_base(self, base: dict[str, Any]) -> None:
        """Report what is wrong with the base itself, once and not with every row."""
        networks = STREAM_NETWORKS if "stream" in base else NETWORKS
        must_have = {"name": "base", "network": networks[0], "corpora": []}
        self.checked(Run, laid_over(must_have, base), ("base",))
        self.problems += [
            f"{self.origin}: base.{key}: each row and split has its own; leave it out"
            for key in ("name", "split")
            if key in base
        ]

    def check_known(self, key: str, names: Iterable[str], known: list[Any]) -> None:
        """Report a name that is none of the known ones."""
        self.problems += [
            f"{self.origin}: {key}: no row {name!r}{nearest(name, map(str, known))}"
            for name in names
            if name not in known
        ]

    def raise_problems(self) -> None:
        """Raises ConfigError with all that was reported."""
        if self.problems:
            raise ConfigError("\n".join(dict.fromkeys(self.problems)))

    def jobs(self, table: dict[str, Any], row: dict[str, Any], number: int) -> list[Job]:
        """A row on each of its own splits, or of the study's."""
        at = ("rows", str(number))
        head = self.checked(Row, {key: row[key] for key in ROW_KEYS if key in row}, at)
        own = {key: value for key, value in row.items() if key not in (*ROW_KEYS, "splits")}
        if "split" in own:
            self.problems.append(f"{self.origin}: rows.{number}.split: unknown key; did you mean 'splits'?")
        at_split = (*at, "splits") if "splits" in row else ("splits",)
        jobs = []
        for place, split in enumerate(row.get("splits", table["splits"])):
            named = {key: value for key, value in split.items() if key == "name"}
            split_head = self.checked(_SplitHead, named, (*at_split, str(place)))
            config = {key: value for key, value in split.items() if key != "name"}
            if head is not None and split_head is not None:
                name = f"{head.name}-{split_head.name}"
                run = self.checked(Run, laid_over(table["base"], {**own, "name": name, "split": config}), at)
                jobs += [Job(head, split_head.name, run)] if run is not None else []
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
        return found

    def checked(self, cls: type[Any], table: dict[str, Any], at: KeyPath) -> Any:
        """A value of `cls`, or None where problems were found."""
        try:
            return from_table(cls, table, self.origin, self.lines, at)
        except ConfigError as error:
            self.problems += str(error).splitlines()
            return None

    def check_once(self, names: Iterable[Any]) -> None:
        """Each name may stand once: it becomes a folder."""
        self.problems += [
            f"{self.origin}: {name!r} stands {count} times; give each row, split and picture a name of its own"
            for name, count in Counter(map(str, names)).items()
            if count > 1
        ]


def _is_array_of_tables(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, dict) for entry in value)

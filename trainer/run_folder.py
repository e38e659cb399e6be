"""The folder of one training: what went in, how it went, what came out; every file is written beside, then renamed."""

import csv
import importlib.metadata
import io
import json
import os
import platform
import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, cast

import tomli_w

from digitd.daemon.errors import TrainingError
from digitd.daemon.settings import as_table, read
from digitd.trainer.corpora.recording import Kind, Recording
from digitd.trainer.runfile import Run
from digitd.trainer.split import PARTS, Split

Read = TypeVar("Read")
RESULT = "result.json"
"""Written last: a run that has it is finished."""
VERSIONED = ("digitd", "keras", "tensorflow-cpu", "tensorflow", "numpy", "soxr", "webrtcvad-wheels")


class RunFolder:
    """Names, writes and reads the files of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.model = path / "model.keras"
        """The trained network, without the optimiser's state."""

    @classmethod
    def create(cls, path: Path, run: Run, split: Split) -> "RunFolder":
        """A new folder with what goes in.

        Raises:
            TrainingError: it exists already or cannot be written.
        """
        if path.exists():
            raise TrainingError(f"{path}: exists already; name another --out, or go on with --resume")
        beside = path.with_name(f".{path.name}.part")
        shutil.rmtree(beside, ignore_errors=True)
        make_folder(beside, path)
        folder = cls(beside)
        labels = run.stream.labels if run.stream else taught(split)
        folder.write_text("labels.json", json.dumps(labels))
        folder.write_text("versions.json", json.dumps(versions(), indent=2))
        folder.write_text("split.tsv", _split_table(split))
        folder.write_text("run.toml", tomli_w.dumps(as_table(run)))
        beside.rename(path)
        return cls(path)

    @classmethod
    def resume(cls, path: Path, run: Run, split: Split | None) -> "RunFolder":
        """The folder of a run that was killed; a split of None is not compared.

        Raises:
            TrainingError: it is none, or was made from another configuration or other recordings.
        """
        folder = cls.open(path)
        if split and _named(folder._read("split.tsv", _read_split_table)) != _named(
            {part: getattr(split, part) for part in PARTS}
        ):
            raise TrainingError(f"{path}: was started with other recordings; its split.tsv and the corpora differ")
        if _wherever(folder.run) != _wherever(run):
            raise TrainingError(f"{path}: was started with another configuration; its run.toml and the run file differ")
        return folder

    @classmethod
    def open(cls, path: Path) -> "RunFolder":
        """A folder that `create` made.

        Raises:
            TrainingError: it is none.
        """
        if not (path / "run.toml").is_file():
            raise TrainingError(f"{path}: no run folder (it has no run.toml); give one that `digitd train` made")
        return cls(path)

    @property
    def run(self) -> Run:
        """The effective configuration."""
        return read(Run, self.path / "run.toml")

    @property
    def labels(self) -> tuple[str, ...]:
        """What each posterior stands for."""
        return self._read("labels.json", lambda path: tuple(json.loads(path.read_text(encoding="utf-8"))))

    @property
    def split(self) -> Split:
        """Which recording was in which part.

        Raises:
            TrainingError: the run is not finished.
        """
        if self.result is None:
            raise TrainingError(f"{self.path}: is not finished (no {RESULT}); go on with `digitd train --resume`")
        parts = self._read("split.tsv", _read_split_table)
        return Split(self.run.split.kind, *(tuple(members) for members in parts.values()))

    @property
    def history(self) -> list[dict[str, str]]:
        """One row an epoch: epoch, loss, accuracy, val_loss, val_accuracy, wall_s, cpu_s."""
        try:
            with (self.path / "history.csv").open(encoding="utf-8", newline="") as file:
                return list(csv.DictReader(file))
        except FileNotFoundError:
            return []

    @property
    def result(self) -> dict[str, Any] | None:
        """What came out; None where the run is not finished."""
        if not (self.path / RESULT).is_file():
            return None
        return self._read(RESULT, _read_result)

    @property
    def checkpoint(self) -> tuple[int, Path] | None:
        """The number of finished epochs and the file of the latest checkpoint."""
        found = sorted((self.path / "checkpoints").glob("epoch-*.keras"))
        return (int(found[-1].stem.removeprefix("epoch-")), found[-1]) if found else None

    def save_epoch(self, epochs_done: int, history: list[dict[str, Any]], save: Callable[[Path], None]) -> None:
        """Keep the state after an epoch: a kill at any moment leaves the state before or after it."""
        checkpoints = self.path / "checkpoints"
        checkpoints.mkdir(exist_ok=True)
        older = list(checkpoints.glob("epoch-*.keras"))
        self.write_history(history)  # first: of a history, only the epochs of the checkpoint count
        self.write(f"checkpoints/epoch-{epochs_done:05d}.keras", save)
        for path in older:
            path.unlink()

    def finish(self, result: str) -> None:
        """Keep the result; the checkpoints, several times as large as the network, have done their work."""
        self.write_text(RESULT, result)
        shutil.rmtree(self.path / "checkpoints", ignore_errors=True)
        (self.path / "best.keras").unlink(missing_ok=True)

    def _read(self, name: str, parse: Callable[[Path], Read]) -> Read:
        """What `parse` makes of a file.

        Raises:
            TrainingError: it is missing or damaged.
        """
        try:
            return parse(self.path / name)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TrainingError(
                f"{self.path / name}: missing or damaged ({error}); restore it or train anew"
            ) from error

    def write_history(self, rows: list[dict[str, Any]]) -> None:
        """Replace history.csv."""
        columns = list(rows[0]) if rows else []
        lines = [",".join(columns)] + [",".join(str(row[column]) for column in columns) for row in rows]
        self.write_text("history.csv", "\n".join(lines) + "\n")

    def write_text(self, name: str, text: str) -> None:
        """Write a text file whole or not at all."""
        self.write(name, lambda path: path.write_text(text, encoding="utf-8"))

    def write(self, name: str, save: Callable[[Path], object]) -> None:
        """Write a file whole or not at all.

        Raises:
            TrainingError: it cannot be written.
        """
        write_whole(self.path / name, save)


def make_folder(path: Path, wanted: Path | None = None) -> None:
    """Make a folder and those above it; a message names `wanted` where that is another one.

    Raises:
        TrainingError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(f"{wanted or path}: cannot be made ({error.strerror}); name a writable folder") from error


def write_whole(target: Path, save: Callable[[Path], object]) -> None:
    """Let `save` write beside the file, then put it in its place.

    Raises:
        TrainingError: it cannot be written; what was there before still is.
    """
    beside = target.with_name(f".{target.stem}.part{target.suffix}")
    try:
        save(beside)
        beside.replace(target)
    except OSError as error:
        with suppress(OSError):  # it may never have been there
            beside.unlink()
        raise TrainingError(
            f"{target}: cannot be written ({error.strerror or error}); free or mend the disk"
        ) from error


def versions() -> dict[str, str]:
    """What the run was made with."""
    found = {"python": platform.python_version(), "machine": f"{platform.machine()}, {os.cpu_count()} cores"}
    for name in VERSIONED:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _split_table(split: Split) -> str:
    """Tab-separated: part, corpus, speaker, label, file, kind."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(["part", "corpus", "speaker", "label", "file", "kind"])
    for part in PARTS:
        for member in getattr(split, part):
            writer.writerow([part, member.corpus, member.speaker, member.label, member.path.resolve(), member.kind])
    return text.getvalue()


def taught(split: Split) -> list[str]:
    """All labels of a split, sorted."""
    return sorted({recording.label for recording in (*split.train, *split.validation, *split.test)})


def _named(parts: Mapping[str, Iterable[Recording]]) -> list[tuple[str, str, str, str, str]]:
    """What a split is wherever its recordings lie: a corpus may be moved."""
    return [(part, r.corpus, r.speaker, r.label, r.path.name) for part, members in parts.items() for r in members]


def _wherever(run: Run) -> Run:
    """The run without where its corpora lie."""
    return replace(run, corpora=tuple(replace(corpus, folder="") for corpus in run.corpora))


def _read_result(path: Path) -> dict[str, Any]:
    result = dict(json.loads(path.read_text(encoding="utf-8")))
    for part in ("validation", "test"):
        result[part]["accuracy"]["share"]  # KeyError: damaged
    return result


def _read_split_table(path: Path) -> dict[str, list[Recording]]:
    parts: dict[str, list[Recording]] = {part: [] for part in PARTS}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            kind = cast(Kind, row.get("kind") or "word")
            parts[row["part"]].append(Recording(Path(row["file"]), row["label"], row["speaker"], row["corpus"], kind))
    return parts

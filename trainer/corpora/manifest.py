"""A folder with manifest.tsv: one line a file, tab-separated, with its kind, corpus, speaker and label."""

import csv
from pathlib import Path

from digitd.daemon.errors import CorpusError
from digitd.trainer.corpora.recording import Kind, Recording

COLUMNS = ("path", "kind", "corpus", "speaker", "label")
KINDS: dict[str, Kind] = {
    "digits": "word",
    "other-words": "word",
    "speech": "speech",
    "noise": "noise",
    "room-responses": "room",
}
"""Rows of other kinds hold strings of digits; they are not read."""


def read(folder: Path) -> list[Recording]:
    """Recordings of one word each, running speech (labelled by its text), noises and rooms.

    Raises:
        CorpusError: the manifest is missing, lacks a column, or names a file that is not there.
    """
    path = folder / "manifest.tsv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror}); give a folder with a manifest") from error
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path}: is no UTF-8 ({error}); convert it") from error
    return [_recording(folder, path, line, row) for line, row in enumerate(rows, start=2) if _is_read(path, row)]


def _is_read(path: Path, row: dict[str, str]) -> bool:
    missing = [column for column in COLUMNS if row.get(column) is None]
    if missing:
        raise CorpusError(f"{path}: lacks the column(s) {', '.join(missing)}; a manifest has {', '.join(COLUMNS)}")
    return row["kind"] in KINDS


def _recording(folder: Path, path: Path, line: int, row: dict[str, str]) -> Recording:
    audio = folder / row["path"]
    if not audio.is_file():
        raise CorpusError(f"{path}:{line}: {row['path']} is not there; restore it or take its line out")
    kind = KINDS[row["kind"]]
    label = row.get("text") or row["label"] if kind == "speech" else row["label"]
    speaker = row["speaker"] or f"{kind}-{audio.stem}"  # nobody speaks: each is its own source
    return Recording(audio, label, speaker, row["corpus"], kind)

"""Strings of digits that people spoke, whole and cut into single digits, by an alignment of their text.

Reads the same manifest as `manifest`, of it the rows that hold strings of digits or digits among other words. They are
aligned once, into `digitd/strings` in the user's cache folder.
"""

import csv
import hashlib
import os
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path

import soundfile
import soxr
from tqdm import tqdm

from digitd.daemon.audio import Samples
from digitd.daemon.errors import CorpusError
from digitd.trainer import cache
from digitd.trainer.corpora import said
from digitd.trainer.corpora.alignment import ALIGNER_HZ, aligned, plausible
from digitd.trainer.corpora.recording import Recording
from digitd.trainer.corpora.said import Said
from digitd.trainer.examples import read_mono

KINDS = ("strings", "mixed")
CORPORA = ("an4",)
"""Whose texts are what was said; moshi-numbers' are the script that was read."""
MARGIN_S = 0.02
WHOLE = "whole.flac"
"""Name of the utterance in its folder of the cache; the others are its digits."""


def read(folder: Path) -> list[Recording]:
    """All strings, and their digits as single words; what the cache lacks is aligned first.

    Raises:
        AudioError: a recording is damaged.
        CorpusError: the manifest is missing, or the cache cannot be written.
    """
    path = folder / "manifest.tsv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file, delimiter="\t") if _is_read(row)]
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"{path}: cannot be read ({error}); give a folder with a manifest") from error
    tasks = [(folder / row["path"], row["text"], row["speaker"], row["corpus"]) for row in rows]
    with ProcessPoolExecutor() as processes:
        found = processes.map(_cut, tasks, chunksize=20)
        bar = tqdm(found, "aligning strings", len(tasks), unit="file", disable=None)
        return [recording for recordings in bar for recording in recordings]


def _is_read(row: dict[str, str]) -> bool:
    return row.get("kind") in KINDS and row.get("corpus") in CORPORA and bool(row.get("text"))


def _cut(task: tuple[Path, str, str, str]) -> list[Recording]:
    """One utterance and its digits; none of them where its text does not fit it."""
    path, text, speaker, corpus = task
    name = hashlib.sha256(f"{path.name}\t{text}".encode()).hexdigest()[:12]
    folder = cache.folder("strings") / f"{path.stem}-{name}"
    if not folder.is_dir():
        samples, rate_hz = read_mono(path)
        if rate_hz != ALIGNER_HZ:
            samples = soxr.resample(samples, rate_hz, ALIGNER_HZ)
        _keep(folder, samples, aligned(samples, text))
    whole = folder / WHOLE
    strings = [Recording(whole, text, speaker, corpus, "string")] if whole.exists() else []
    digits = sorted(path for path in folder.glob("*.flac") if path != whole)
    return strings + [Recording(file, file.stem.partition("-")[2], speaker, corpus) for file in digits]


def _keep(folder: Path, samples: Samples, words: tuple[Said, ...]) -> None:
    beside = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        beside.mkdir(parents=True, exist_ok=True)
        if words and all(map(plausible, words)):
            soundfile.write(beside / WHOLE, samples, ALIGNER_HZ)
            said.table_of(beside / WHOLE).write_text(said.written(words), encoding="utf-8")
        for number, word in enumerate(words):
            if word.is_digit and plausible(word):
                begin, end = (int(at_s * ALIGNER_HZ) for at_s in (word.start_s - MARGIN_S, word.end_s + MARGIN_S))
                soundfile.write(beside / f"{number:02d}-{word.label}.flac", samples[max(0, begin) : end], ALIGNER_HZ)
        with suppress(FileExistsError):  # another process was faster
            beside.rename(folder)
    except OSError as error:
        raise CorpusError(
            f"{folder}: cannot be written ({error.strerror}); free the disk, or set $DIGITD_CACHE"
        ) from error

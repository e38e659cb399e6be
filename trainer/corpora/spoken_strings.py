"""Digits cut out of longer utterances, by an alignment of their text: real voices where isolated digits are rare.

Reads the same manifest as `manifest`, of it the rows that hold strings of digits or digits among other words. The words
are found by pocketsphinx's forced alignment and cut once into `digitd/words` in the user's cache folder.
"""

import csv
import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from tqdm import tqdm

from digitd.daemon.audio import Samples
from digitd.daemon.errors import CorpusError
from digitd.trainer.corpora.recording import DIGIT_WORDS, Recording, label_of
from digitd.trainer.examples import read_mono

KINDS = ("strings", "mixed")
CORPORA = ("an4",)
"""Whose texts are what was said; moshi-numbers' are the script that was read."""
ALIGNER_HZ = 16000
FRAME_S = 0.01
MARGIN_S = 0.02
SHORTEST_S, LONGEST_S = 0.1, 1.2
"""A digit of another length was not found where it is."""


def cache_folder() -> Path:
    """`$DIGITD_CACHE/words`, else `digitd/words` in the user's cache folder. It may be deleted at any time."""
    if given := os.environ.get("DIGITD_CACHE"):
        return Path(given) / "words"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "digitd/words"


def read(folder: Path) -> list[Recording]:
    """The digits of all strings; what the cache lacks is cut first.

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
        return [
            word for words in tqdm(found, "cutting strings", len(tasks), unit="file", disable=None) for word in words
        ]


def _is_read(row: dict[str, str]) -> bool:
    return row.get("kind") in KINDS and row.get("corpus") in CORPORA and bool(row.get("text"))


def _cut(task: tuple[Path, str, str, str]) -> list[Recording]:
    """The digits of one utterance."""
    path, text, speaker, corpus = task
    name = hashlib.sha256(f"{path.name}\t{text}".encode()).hexdigest()[:12]
    folder = cache_folder() / f"{path.stem}-{name}"
    if not folder.is_dir():
        samples, rate_hz = read_mono(path)
        if rate_hz != ALIGNER_HZ:
            samples = soxr.resample(samples, rate_hz, ALIGNER_HZ)
        _keep(folder, list(_digits(samples, text)))
    return [Recording(file, file.stem.partition("-")[2], speaker, corpus) for file in sorted(folder.glob("*.flac"))]


def _keep(folder: Path, words: list[tuple[str, Samples]]) -> None:
    beside = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        beside.mkdir(parents=True, exist_ok=True)
        for number, (label, samples) in enumerate(words):
            soundfile.write(beside / f"{number:02d}-{label}.flac", samples, ALIGNER_HZ)
        with suppress(FileExistsError):  # another process was faster
            beside.rename(folder)
    except OSError as error:
        raise CorpusError(
            f"{folder}: cannot be written ({error.strerror}); free the disk, or set $DIGITD_CACHE"
        ) from error


@cache
def _aligner() -> Any:
    """One a process: it takes a tenth of a second to begin."""
    from pocketsphinx import Decoder

    return Decoder(lm=None, bestpath=False, loglevel="FATAL")


def _digits(samples: Samples, text: str) -> Iterator[tuple[str, Samples]]:
    """Label and samples of each digit of float32 [n_samples] at ALIGNER_HZ."""
    aligner = _aligner()
    try:
        aligner.set_align_text(text)
        aligner.start_utt()
        aligner.process_raw((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes(), full_utt=True)
        aligner.end_utt()
        segments = list(aligner.seg()) if aligner.hyp() else []
    except (RuntimeError, ValueError):  # a word that is not in its dictionary
        return
    for segment in segments:
        word = segment.word.partition("(")[0]
        start_s, end_s = segment.start_frame * FRAME_S, (segment.end_frame + 1) * FRAME_S
        if word in (*DIGIT_WORDS, "oh") and SHORTEST_S <= end_s - start_s <= LONGEST_S:
            begin, end = int((start_s - MARGIN_S) * ALIGNER_HZ), int((end_s + MARGIN_S) * ALIGNER_HZ)
            yield ("0" if word == "oh" else label_of(word)), samples[max(0, begin) : end]

"""Which phone is spoken when, by forced alignment of what is said: a second thing for a network to learn.

A network that must also tell phones from one another learns what speech is made of, not only what few speakers' digits
sound like (multi-task training; Caruana, 1997). No bundle holds that part.
"""

import hashlib
import os
import re
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import soxr
from numpy.typing import NDArray
from tqdm import tqdm

from digitd.daemon.errors import CorpusError
from digitd.trainer import cache
from digitd.trainer.corpora.alignment import ALIGNER_HZ, FRAME_S, phones_of
from digitd.trainer.corpora.recording import DIGIT_WORDS, Recording
from digitd.trainer.examples import read_mono

PHONES = (
    "SIL", "AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY", "F", "G", "HH", "IH", "IY", "JH",
    "K", "L", "M", "N", "NG", "OW", "OY", "P", "R", "S", "SH", "T", "TH", "UH", "UW", "V", "W", "Y", "Z", "ZH",
)  # fmt: skip
"""Silence, and the phones of the CMU Pronouncing Dictionary."""
SILENCE = 0
UNKNOWN = -1
HOP_S = FRAME_S

Track = NDArray[np.int8]
"""int8 [n_hops]: index into PHONES of each HOP_S, or UNKNOWN."""


def fitted(track: Track, n_hops: int) -> Track:
    """The track as long as its sound has become: int8 [n_hops]."""
    if not len(track):
        return np.full(n_hops, SILENCE, np.int8)
    return track[np.arange(n_hops) * len(track) // max(n_hops, 1)]


def overlay(track: Track, other: Track, at: int) -> None:
    """Put the phones of another track into one, from hop `at` on; its silences leave what is there."""
    part = track[at : at + len(other)]
    other = other[: len(part)]
    part[other != SILENCE] = other[other != SILENCE]


def tracks(recordings: Sequence[Recording], title: str) -> list[Track]:
    """One of each recording; all UNKNOWN where its text does not fit it. What the cache lacks is aligned first.

    Raises:
        AudioError: a recording is damaged.
        CorpusError: the cache cannot be written.
    """
    with ProcessPoolExecutor() as processes:
        found = processes.map(_track, recordings, chunksize=50)
        return list(tqdm(found, f"phones of {title}", len(recordings), unit="file", disable=None))


def _track(recording: Recording) -> Track:
    stat = recording.path.stat()
    key = hashlib.sha256(
        f"{recording.path}\t{stat.st_size}\t{stat.st_mtime_ns}\t{recording.label}".encode()
    ).hexdigest()
    path = cache.folder("phones") / key[:2] / f"{key[2:18]}.npy"
    if path.exists():
        found: Track = np.load(path)
        return found
    track = _aligned(recording)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as file:
            np.save(file, track)
        beside.replace(path)
    except OSError as error:
        raise CorpusError(
            f"{path}: cannot be written ({error.strerror}); free the disk, or set $DIGITD_CACHE"
        ) from error
    return track


def _aligned(recording: Recording) -> Track:
    samples, rate_hz = read_mono(recording.path)
    heard = samples if rate_hz == ALIGNER_HZ else soxr.resample(samples, rate_hz, ALIGNER_HZ)
    track = np.full(int(np.ceil(len(samples) / rate_hz / HOP_S)), UNKNOWN, np.int8)
    tried = [phones_of(heard, text) for text in texts(recording.label)]
    if fitting := [result for result in tried if result]:
        for name, begin, end in max(fitting, key=lambda result: result.score).phones:
            track[begin:end] = PHONES.index(name)
    return track


def texts(label: str) -> list[str]:
    """What may have been said in a recording of that label."""
    if label.isdigit() and len(label) == 1:
        return [DIGIT_WORDS[int(label)], *(["oh"] if label == "0" else [])]
    return [" ".join(re.findall(r"[a-z']+", label.lower()))]

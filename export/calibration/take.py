"""One prompted word as it was recorded, and the folder that takes are kept in.

The folder is laid out as `digitd train` reads it (reader `folders`): LABEL/SPEAKER_TAKE.wav, and beside them the
room, which no reader takes for a word.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from digitd.daemon.audio import Samples
from digitd.daemon.errors import AudioError, CorpusError
from digitd.trainer.corpora import folders
from digitd.trainer.examples import read_mono

ROOM = "room.wav"
LEAD_S, TAIL_S = 0.5, 0.7
"""A take has so much room before and after its word: recordings that are trimmed are given some."""
HISS_DBFS = -70.0
WORD_RANGE_DB = 35.0
FRAME_S = 0.01


@dataclass(frozen=True)
class Take:
    """A word and the room around it."""

    label: str
    samples: Samples
    """float32 [n_samples], mono."""
    rate_hz: int
    name: str = ""
    """Where it is from, for messages."""


def read(folder: Path, labels: Sequence[str]) -> list[Take]:
    """The takes of a folder whose label is one of `labels`, in the order of their paths.

    Raises:
        AudioError: a recording is damaged.
        CorpusError: there is no such folder, or nothing of these labels in it.
    """
    if not folder.is_dir():
        raise CorpusError(f"{folder}: no such folder; name one of LABEL/SPEAKER_TAKE.wav, as --keep leaves it")
    recordings = [recording for recording in sorted(folders.read(folder)) if recording.label in labels]
    if not recordings:
        raise CorpusError(
            f"{folder}: holds no recording of {', '.join(labels)}; it must be laid out as LABEL/SPEAKER_TAKE.wav"
        )
    found = []
    for recording in recordings:
        samples, rate_hz = read_mono(recording.path)
        found.append(Take(recording.label, with_room(samples, rate_hz), rate_hz, str(recording.path)))
    return found


def read_room(folder: Path, rate_hz: int) -> Samples | None:
    """float32 [n_samples] of the room at a rate, where the folder holds it."""
    path = folder / ROOM
    if not path.is_file():
        return None
    samples, found_hz = read_mono(path)
    return samples if found_hz == rate_hz else np.asarray(soxr.resample(samples, found_hz, rate_hz), np.float32)


def write(folder: Path, speaker: str, takes: Iterable[Take], room: Samples | None, rate_hz: int) -> None:
    """Put takes into a folder of mode 0700; those of an earlier session stay.

    Raises:
        AudioError: it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        for take in takes:
            (folder / take.label).mkdir(mode=0o700, exist_ok=True)
            _write_beside(_unused(folder / take.label, speaker), take.samples, take.rate_hz)
        if room is not None:
            _write_beside(folder / ROOM, room, rate_hz)
    except (OSError, soundfile.LibsndfileError) as error:
        raise AudioError(f"{folder}: cannot be written ({error}); free some space, or leave out --keep") from error


def _write_beside(path: Path, samples: Samples, rate_hz: int) -> None:
    """Whole or not at all, readable by its owner alone."""
    beside = path.with_name(f".{path.name}")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        soundfile.write(file, samples, rate_hz, subtype="PCM_16", format="WAV")
    beside.replace(path)


def _unused(folder: Path, speaker: str) -> Path:
    number = 1
    while (path := folder / f"{speaker}_{number:03}.wav").exists():
        number += 1
    return path


def with_room(samples: Samples, rate_hz: int) -> Samples:
    """The same with LEAD_S of hiss before its word and TAIL_S after, where it has less."""
    length = round(rate_hz * FRAME_S)
    whole = samples[: len(samples) // length * length].reshape(-1, length)
    power = (whole**2).mean(axis=1) if len(whole) else np.zeros(1, np.float32)
    loud = np.flatnonzero(power > power.max() * 10 ** (-WORD_RANGE_DB / 10))
    first_s, last_s = (loud[0] * FRAME_S, (loud[-1] + 1) * FRAME_S) if len(loud) else (0.0, 0.0)
    before = max(0, round((LEAD_S - first_s) * rate_hz))
    after = max(0, round((TAIL_S + last_s) * rate_hz) - len(samples))
    if not before and not after:
        return samples
    longer = np.pad(samples, (before, after))
    hiss = 10 ** (HISS_DBFS / 20) * np.random.default_rng(0).standard_normal(len(longer))
    return (longer + hiss).astype(np.float32)

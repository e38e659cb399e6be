"""Examples that were heard before, on disk, so that no recording is heard twice the same way."""

import hashlib
import importlib
import importlib.metadata
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from digitd.daemon.errors import TrainingError
from digitd.trainer.corpora.recording import Recording
from digitd.trainer.examples import Ear, Examples, hear

HEARING = (
    "digitd.daemon.audio",
    "digitd.daemon.vad",
    "digitd.daemon.segmenter",
    "digitd.daemon.features",
    "digitd.daemon.front_end",
    "digitd.daemon.sources.recording",
    "digitd.trainer.room",
    "digitd.trainer.examples",
)
"""The modules whose code decides what is heard; a change in one makes all older entries unreachable."""
HEARING_PACKAGES = ("numpy", "soxr", "soundfile", "webrtcvad-wheels")


class FeatureCache:
    """A folder of examples, each file under a key made of recordings, labels, feature spec and the code that hears."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def hear(
        self, recordings: Sequence[Recording], labels: Sequence[str], ear: Ear, n_takes: int, title: str
    ) -> Examples:
        """What `examples.hear` gives, from disk where it was asked for before.

        Raises:
            AudioError: a recording is damaged.
            CorpusError: no speech was found in any.
            TrainingError: the folder cannot be written.
        """
        path = self._folder / f"{key_of(recordings, labels, ear, n_takes)}.npz"
        kept = _load(path)
        if kept is not None:
            return kept
        heard = hear(recordings, labels, ear, n_takes, title)
        self._keep(heard, path)
        return heard

    def _keep(self, heard: Examples, path: Path) -> None:
        beside = path.with_name(f".{path.stem}.{os.getpid()}.part.npz")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            np.savez(beside, allow_pickle=False, **vars(heard))
            beside.replace(path)
        except OSError as error:
            with suppress(OSError):  # it may never have been there
                beside.unlink()
            raise TrainingError(
                f"{path}: heard examples cannot be kept ({error.strerror or error}); free the disk, or name another "
                "folder in $DIGITD_CACHE"
            ) from error


def _load(path: Path) -> Examples | None:
    """The examples of a file; None where there is none or it is damaged (then it is made anew)."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return Examples(arrays["features"], arrays["labels"], arrays["sources"], int(arrays["unheard"]))
    except (OSError, ValueError, KeyError, EOFError, RuntimeError, BadZipFile):
        return None


def key_of(recordings: Sequence[Recording], labels: Sequence[str], ear: Ear, n_takes: int) -> str:
    """The same for recordings that are heard the same way, wherever they lie; 32 hexadecimal digits."""
    key = hashlib.sha256()
    for name in HEARING:
        key.update(Path(str(importlib.import_module(name).__file__)).read_bytes())
    versions = {name: importlib.metadata.version(name) for name in HEARING_PACKAGES}
    key.update(json.dumps([versions, ear.settings, n_takes, list(labels)], sort_keys=True).encode())
    for recording in recordings:
        key.update(f"\n{recording.corpus}/{recording.path.name}\t{recording.label}\t".encode())
        try:
            with recording.path.open("rb") as file:
                key.update(hashlib.file_digest(file, "sha256").digest())
        except OSError:
            key.update(b"unreadable")  # hearing it tells what is wrong
    return key.hexdigest()[:32]

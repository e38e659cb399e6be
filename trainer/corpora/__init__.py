"""Readers of published data sets, one a file, all to one value type."""

import importlib
from pathlib import Path

from digitd.daemon.errors import CorpusError
from digitd.daemon.settings import nearest
from digitd.trainer.corpora.recording import Recording

READERS = ("manifest", "audiomnist", "fsdd", "folders", "speech-commands", "spoken-strings", "synthetic")
"""Each is a module of that name, loaded when it is asked for: some need the extra [train]."""


def read(reader: str, folder: Path) -> list[Recording]:
    """All recordings of a folder in a published layout, in the order of their paths.

    Raises:
        CorpusError: no such reader, or the folder does not hold such a corpus.
    """
    if reader not in READERS:
        raise CorpusError(f"no corpus reader {reader!r}{nearest(reader, READERS)}")
    if not folder.is_dir():
        raise CorpusError(f"{folder}: no such folder; give the folder of a {reader} corpus")
    module = importlib.import_module(f"digitd.trainer.corpora.{reader.replace('-', '_')}")
    recordings: list[Recording] = sorted(module.read(folder))
    if not recordings:
        raise CorpusError(f"{folder}: holds no recordings in the layout of {reader}; give its top folder")
    return recordings

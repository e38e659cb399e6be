"""Readers of published data sets, one a file, all to one value type."""

from collections.abc import Callable
from pathlib import Path

from digitd.daemon.errors import CorpusError
from digitd.daemon.settings import nearest
from digitd.trainer.corpora import audiomnist, folders, fsdd, manifest, speech_commands
from digitd.trainer.corpora.recording import Recording

READERS: dict[str, Callable[[Path], list[Recording]]] = {
    "manifest": manifest.read,
    "audiomnist": audiomnist.read,
    "fsdd": fsdd.read,
    "folders": folders.read,
    "speech-commands": speech_commands.read,
}


def read(reader: str, folder: Path) -> list[Recording]:
    """All recordings of a folder in a published layout, in the order of their paths.

    Raises:
        CorpusError: no such reader, or the folder does not hold such a corpus.
    """
    if reader not in READERS:
        raise CorpusError(f"no corpus reader {reader!r}{nearest(reader, READERS)}")
    if not folder.is_dir():
        raise CorpusError(f"{folder}: no such folder; give the folder of a {reader} corpus")
    recordings = sorted(READERS[reader](folder))
    if not recordings:
        raise CorpusError(f"{folder}: holds no recordings in the layout of {reader}; give its top folder")
    return recordings

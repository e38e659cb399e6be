"""One's own recordings: `LABEL/SPEAKER_TAKE.wav` (or .flac), any labels in any language."""

import re
from pathlib import Path

from digitd.daemon.errors import CorpusError
from digitd.trainer.corpora.recording import Recording

_NAME = re.compile(r"(?P<speaker>.+)_(?P<take>[^_]+)\.(wav|flac)", re.IGNORECASE)


def read(folder: Path) -> list[Recording]:
    """All recordings; the label is the folder's name, whatever it is.

    Raises:
        CorpusError: a file's name does not tell who spoke.
    """
    recordings = []
    for path in folder.glob("*/*"):
        if path.suffix.lower() not in (".wav", ".flac"):
            continue
        name = _NAME.fullmatch(path.name)
        if name is None:
            raise CorpusError(f"{path}: its name does not tell who spoke; call it SPEAKER_TAKE{path.suffix}")
        recordings.append(Recording(path, path.parent.name, name["speaker"], folder.name))
    return recordings

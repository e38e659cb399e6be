"""Free Spoken Digit Dataset: `recordings/D_SPEAKER_T.wav`, 8 kHz, 6 speakers with 50 takes of each digit."""

import re
from pathlib import Path

from digitd.daemon.errors import CorpusError
from digitd.trainer.corpora.recording import Recording

_NAME = re.compile(r"(?P<digit>\d)_(?P<speaker>[a-z]+)_(?P<take>\d+)\.wav")


def read(folder: Path) -> list[Recording]:
    """All recordings; `folder` is the repository or its `recordings`.

    Raises:
        CorpusError: a WAV file is not named as the data set names them.
    """
    recordings_dir = folder / "recordings" if (folder / "recordings").is_dir() else folder
    recordings = []
    for path in recordings_dir.glob("*.wav"):
        name = _NAME.fullmatch(path.name)
        if name is None:
            raise CorpusError(f"{path}: no FSDD name D_SPEAKER_T.wav; take it out")
        recordings.append(Recording(path, name["digit"], f"fsdd-{name['speaker']}", "fsdd"))
    return recordings

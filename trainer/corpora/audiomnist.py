"""AudioMNIST: `data/NN/D_NN_T.wav`, 60 speakers with 50 takes of each digit, and their metadata.

Source: Becker et al., arXiv:1807.03418.
"""

import json
import re
from pathlib import Path

from digitd.daemon.errors import CorpusError
from digitd.trainer.corpora.recording import Recording

METADATA = "audioMNIST_meta.txt"
_NAME = re.compile(r"(?P<digit>\d)_(?P<speaker>\d\d)_(?P<take>\d+)\.wav")


def read(folder: Path) -> list[Recording]:
    """All recordings; `folder` is the repository or its `data`.

    Raises:
        CorpusError: the metadata is missing or damaged, or does not know a speaker.
    """
    data = folder / "data" if (folder / "data").is_dir() else folder
    try:
        speakers = json.loads((data / METADATA).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CorpusError(f"{data / METADATA}: no speaker metadata ({error}); give AudioMNIST's folder") from error
    if not isinstance(speakers, dict):
        raise CorpusError(f"{data / METADATA}: is no table of speakers; restore the metadata")
    recordings = []
    for path in data.glob("[0-9][0-9]/*.wav"):
        name = _NAME.fullmatch(path.name)
        if name is None or name["speaker"] != path.parent.name:
            raise CorpusError(f"{path}: no AudioMNIST name D_NN_T.wav within its speaker's folder NN; take it out")
        if name["speaker"] not in speakers:
            raise CorpusError(f"{path}: speaker {name['speaker']} is not in {METADATA}; restore the metadata")
        recordings.append(Recording(path, name["digit"], f"audiomnist-{name['speaker']}", "audiomnist"))
    return recordings

"""AudioMNIST: `data/NN/D_NN_T.wav`, 60 speakers with 50 takes of each digit, and their metadata.

Source: Becker et al., arXiv:1807.03418.
"""

import json
import re
from pathlib import Path

from digitd.daemon.errors import CorpusError
from digitd.trainer.corpora.recording import Recording

CORPUS = "audiomnist"
METADATA = "audioMNIST_meta.txt"
GROUPS = (
    (12, 47, 59, 15, 27, 41, 4, 11, 21, 31, 44, 50),
    (26, 52, 60, 18, 32, 42, 5, 13, 22, 33, 45, 51),
    (28, 56, 7, 19, 35, 1, 6, 16, 23, 34, 46, 53),
    (36, 57, 9, 24, 37, 2, 8, 17, 29, 39, 48, 54),
    (43, 58, 14, 25, 38, 3, 10, 20, 30, 40, 49, 55),
)
"""The published five groups of twelve speakers each, for the digit task: fold n validates on group n and tests on the
next; the other three are trained on."""
_NAME = re.compile(r"(?P<digit>\d)_(?P<speaker>\d\d)_(?P<take>\d+)\.wav")


def fold(number: int) -> tuple[frozenset[str], frozenset[str]]:
    """The validation and the test speakers of a published fold, 1 to 5."""
    validation, test = GROUPS[number - 1], GROUPS[number % len(GROUPS)]
    return frozenset(map(_speaker, validation)), frozenset(map(_speaker, test))


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
        recordings.append(Recording(path, name["digit"], _speaker(int(name["speaker"])), CORPUS))
    return recordings


def _speaker(number: int) -> str:
    return f"audiomnist-{number:02d}"

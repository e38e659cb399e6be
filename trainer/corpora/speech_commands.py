"""Google Speech Commands: `WORD/SPEAKER_nohash_T.wav`, one second each, about 2,600 speakers.

Source: Warden, arXiv:1804.03209.
"""

import re
from pathlib import Path

from digitd.daemon.errors import CorpusError
from digitd.trainer.corpora.recording import Recording, label_of

BACKGROUND = "_background_noise_"
_NAME = re.compile(r"(?P<speaker>[0-9a-f]+)_nohash_(?P<take>\d+)\.wav")


def read(folder: Path) -> list[Recording]:
    """All words, the ten digits' under their digit; the background noise holds no word and is left out.

    Raises:
        CorpusError: a WAV file is not named as the data set names them.
    """
    recordings = []
    for path in folder.glob("*/*.wav"):
        if path.parent.name == BACKGROUND:
            continue
        name = _NAME.fullmatch(path.name)
        if name is None:
            raise CorpusError(f"{path}: no Speech Commands name SPEAKER_nohash_T.wav; take it out")
        label = label_of(path.parent.name)
        recordings.append(Recording(path, label, f"gsc-{name['speaker']}", "speech-commands"))
    return recordings

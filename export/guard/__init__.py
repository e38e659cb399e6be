"""What others say, by voices that programs made: an enrolment may not change what becomes of it.

Recordings in Opus, 16 kHz, some five kilobits a second: the network answers them as it does what they were made from.
`speak` made them.
"""

from pathlib import Path

import numpy as np
import soundfile

from digitd.daemon.audio import Samples

FOLDER = Path(__file__).parent
TAUGHT_WORDS, TAUGHT_DIGITS, ASKED_WORDS = "taught-words.ogg", "taught-digits.ogg", "asked-words.ogg"
RATE_HZ = 16000


def read(name: str) -> Samples:
    """float32 [n_samples] at RATE_HZ of one of the recordings.

    Words and digits that enrolment is taught to leave alone, or words that it was not taught, and is asked about.
    """
    samples, _ = soundfile.read(FOLDER / name, dtype="float32")
    return np.asarray(samples, np.float32)

"""The two codings of a telephone's samples, by libsndfile's tables."""

import io
from functools import cache

import numpy as np
import soundfile
from numpy.typing import NDArray

RATE_HZ = 8000
SUBTYPES = {0: "ULAW", 8: "ALAW"}
"""RTP's payload type (RFC 3551, 6) -> libsndfile's name of its coding."""

Samples = NDArray[np.int16]


def decoded(payload: bytes, payload_type: int) -> Samples:
    """A sample for each byte."""
    return _table(SUBTYPES[payload_type])[np.frombuffer(payload, np.uint8)]


@cache
def _table(subtype: str) -> Samples:
    """The sample of each of the 256 bytes."""
    every = io.BytesIO(bytes(range(256)))
    samples, _ = soundfile.read(every, dtype="int16", format="RAW", subtype=subtype, samplerate=RATE_HZ, channels=1)
    table: Samples = samples
    return table

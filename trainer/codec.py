"""What a line or a recorder leaves of sound: coded and decoded by libsndfile, sample for sample in its place."""

import io
from dataclasses import dataclass

import numpy as np
import soundfile
import soxr

from digitd.daemon.audio import Samples


@dataclass(frozen=True)
class Codec:
    """A way to store sound that loses some of it."""

    container: str
    subtype: str
    rate_hz: int | None = None
    """At which it codes; None for the sound's own."""
    compression: tuple[float, float] | None = None
    """Range of libsndfile's `compression_level`: 0 keeps most, 1 least."""


CODECS = (
    Codec("WAV", "ULAW", 8000),
    Codec("WAV", "ALAW", 8000),
    Codec("WAV", "GSM610", 8000),
    Codec("MP3", "MPEG_LAYER_III", None, (0.3, 0.99)),
    Codec("OGG", "VORBIS", None, (0.5, 1.0)),
)
"""Telephone lines (ITU-T G.711 and GSM full rate, 64 and 13 kbit/s) and recordings sent by message."""


def coded(samples: Samples, rate_hz: int, codec: Codec, compression: float | None = None) -> Samples:
    """float32 [n_samples], as many as went in, after coding and decoding.

    Args:
        samples: float32 [n_samples].
        rate_hz: their rate.
        codec: one of CODECS.
        compression: `compression_level`, for a codec that has a range of it.
    """
    peak = max(float(np.abs(samples).max()), 1e-9)
    inner_hz = codec.rate_hz or rate_hz
    level = {} if compression is None else {"compression_level": compression}
    stored = io.BytesIO()
    sent = soxr.resample(samples / np.float32(peak), rate_hz, inner_hz, quality="MQ")
    soundfile.write(stored, sent, inner_hz, format=codec.container, subtype=codec.subtype, **level)
    stored.seek(0)
    received = soxr.resample(soundfile.read(stored, dtype="float32")[0], inner_hz, rate_hz, quality="MQ")
    whole = np.zeros(len(samples), np.float32)
    whole[: len(received)] = received[: len(samples)] * np.float32(peak)
    return whole


def drawn(samples: Samples, rate_hz: int, generator: np.random.Generator) -> Samples:
    """Through one of CODECS."""
    codec = CODECS[int(generator.integers(len(CODECS)))]
    compression = float(generator.uniform(*codec.compression)) if codec.compression else None
    return coded(samples, rate_hz, codec, compression)

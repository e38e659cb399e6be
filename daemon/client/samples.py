"""Sound as a program has it -> raw s16le, in pieces."""

import sys
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from digitd.daemon.errors import ConfigError

PIECE_BYTES = 16384


class Readable(Protocol):
    """A file, a pipe, a microphone's stream."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at its end."""
        ...


Samples = Any
"""Whatever has the buffer protocol: bytes that are s16le, or an array of int16 or of floats from -1 to 1."""
Audio = Samples | Readable | Iterable[Samples]


def pieces(audio: Audio) -> Iterator[bytes]:
    """All of it, as raw s16le.

    Raises:
        ConfigError: it is no sound.
    """
    if hasattr(audio, "read"):
        while piece := audio.read(PIECE_BYTES):
            yield piece
    elif _is_buffer(audio):
        whole = pcm16(audio)
        yield from (whole[at : at + PIECE_BYTES] for at in range(0, len(whole), PIECE_BYTES))
    else:
        yield from map(pcm16, audio)


def pcm16(samples: Samples) -> bytes:
    """Raw s16le of one piece.

    Raises:
        ConfigError: it holds neither int16 nor floats.
    """
    if not _is_buffer(samples):
        raise ConfigError(f"{type(samples).__name__} is no sound; give bytes (s16le) or an array of int16 or floats")
    view = memoryview(samples)
    if view.format in ("b", "B", "c") or (view.format in ("h", "<h") and sys.byteorder == "little"):
        return view.tobytes()
    if view.format in ("f", "d", "<f", "<d"):
        import numpy as np  # who has an array of floats has it

        return np.clip(np.round(np.asarray(view) * 32768), -32768, 32767).astype("<i2").tobytes()
    raise ConfigError(f"samples of format {view.format!r} cannot be sent; give int16, or floats from -1 to 1")


def _is_buffer(value: object) -> bool:
    try:
        memoryview(value).release()  # type: ignore[arg-type]
    except TypeError:
        return False
    return True

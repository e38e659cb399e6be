"""What a browser's microphone sends: how it sounds is told first, then come samples in any pieces."""

import json
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

from digitd.daemon.audio import Samples, from_pcm16
from digitd.daemon.errors import AudioError, ConfigError
from digitd.daemon.mode import Mode
from digitd.daemon.settings import from_table, setting

Format = Literal["s16le", "f32le"]
SAMPLE_BYTES = {"s16le": 2, "f32le": 4}
LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 8000, 96000
MAX_LOST_S = 3600.0
SHOWN_CHARACTERS = 100
"""So much of a message is repeated in its refusal."""

Message = TypeVar("Message", "Opening", "Note")


@dataclass(frozen=True)
class Opening:
    """The first message of a speaker."""

    rate_hz: int = setting(at_least=LOWEST_RATE_HZ, at_most=HIGHEST_RATE_HZ)
    format: Format = "s16le"
    """Of its samples, which are mono."""
    mode: Mode | None = None
    """To begin with; else the server's."""


@dataclass(frozen=True)
class Note:
    """Any later message that holds no samples."""

    mode: Mode | None = None
    """To go by from here on."""
    lost_s: float = setting(0.0, at_least=0.0, at_most=MAX_LOST_S)
    """So much was heard after the samples before and never sent."""
    end: bool = False
    """Nothing more is sent."""

    def __post_init__(self) -> None:
        if self.mode is None and not self.lost_s and not self.end:
            raise ValueError("tells nothing")


def told(kind: type[Message], message: str | bytes) -> Message:
    """The message, as what it should be.

    Raises:
        ConfigError: it is something else.
    """
    try:
        table = json.loads(message) if isinstance(message, str) else None
    except (ValueError, RecursionError):
        table = None
    if not isinstance(table, dict):
        shown = repr(message[:SHOWN_CHARACTERS])
        raise ConfigError(f'{shown} is no {kind.__name__.lower()}; begin with {{"rate_hz":48000,"format":"s16le"}}')
    return from_table(kind, table, kind.__name__.lower())


class Wire:
    """Bytes in any pieces -> whole samples."""

    def __init__(self, sample_format: Format) -> None:
        self._format = sample_format
        self._cut = b""

    def frames(self, raw: bytes) -> Samples:
        """float32 [n_frames, 1]; a sample that is cut waits for its rest."""
        raw = self._cut + raw
        whole = len(raw) - len(raw) % SAMPLE_BYTES[self._format]
        raw, self._cut = raw[:whole], raw[whole:]
        if self._format == "s16le":
            return from_pcm16(raw, 1)
        return np.frombuffer(raw, "<f4").astype(np.float32).reshape(-1, 1)

    def finish(self) -> None:
        """Raises AudioError where the last sample is cut."""
        if self._cut:
            raise AudioError(
                f"the last sample has {len(self._cut)} of {SAMPLE_BYTES[self._format]} bytes; "
                f"send whole samples of {self._format}"
            )

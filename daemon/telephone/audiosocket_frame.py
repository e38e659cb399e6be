"""Asterisk's AudioSocket, frame by frame: a byte of kind, two of length, a payload."""

import asyncio
import struct
from dataclasses import dataclass
from typing import Final

HANG_UP: Final = 0x00
UUID: Final = 0x01
DTMF: Final = 0x03
ERROR: Final = 0xFF
RATES_HZ: Final = {
    0x10: 8000,
    0x11: 12000,
    0x12: 16000,
    0x13: 24000,
    0x14: 32000,
    0x15: 44100,
    0x16: 48000,
    0x17: 96000,
    0x18: 192000,
}
"""Kind of a frame that holds s16le samples, one channel -> their rate."""

_HEAD = struct.Struct(">BH")


@dataclass(frozen=True)
class Frame:
    """A message of either side."""

    kind: int
    payload: bytes = b""

    def __bytes__(self) -> bytes:
        """As it goes over the wire."""
        return _HEAD.pack(self.kind, len(self.payload)) + self.payload


async def next_frame(reader: asyncio.StreamReader) -> Frame:
    """The next frame.

    Raises:
        EOFError: the other side has hung up, maybe within a frame.
    """
    kind, n_bytes = _HEAD.unpack(await reader.readexactly(_HEAD.size))
    return Frame(kind, await reader.readexactly(n_bytes))

"""How a client's samples are laid out, and the same samples as the daemon takes them."""

from dataclasses import dataclass

from wyoming.audio import AudioChunk, AudioChunkConverter
from wyoming.event import Event

from digitd.daemon.audio import HIGHEST_RATE_HZ, LOWEST_RATE_HZ
from digitd.daemon.wyoming.refusal import RefusedError

BOUNDS = {"rate": (LOWEST_RATE_HZ, HIGHEST_RATE_HZ), "width": (1, 4), "channels": (1, 2)}
PCM16_WIDTH_BYTES = 2


@dataclass(frozen=True)
class Sound:
    """The layout of raw samples."""

    rate_hz: int
    width_bytes: int
    """1 is unsigned, 2 to 4 are signed, little-endian."""
    channels: int

    def __str__(self) -> str:
        return f"{self.rate_hz} Hz, {self.width_bytes} bytes, {self.channels} channels"

    @property
    def bytes_per_s(self) -> int:
        """So many make a second."""
        return self.rate_hz * self.width_bytes * self.channels


def sound_of(event: Event) -> Sound:
    """What an `audio-start` or an `audio-chunk` says of its samples.

    Raises:
        RefusedError: it does not, or they cannot be heard.
    """
    for name, (least, most) in BOUNDS.items():
        value = event.data.get(name)
        if type(value) is not int or not least <= value <= most:
            raise RefusedError(
                "format", f"{event.type}: {name} = {value!r:.40} must be a number from {least} to {most}"
            )
    return Sound(event.data["rate"], event.data["width"], event.data["channels"])


class Converter:
    """Samples of any width -> s16le; pieces may cut them anywhere."""

    def __init__(self, sound: Sound) -> None:
        self._sound = sound
        self._rest = b""
        self._library = AudioChunkConverter(width=PCM16_WIDTH_BYTES)

    @property
    def rest_bytes(self) -> int:
        """What has come of a frame that is not yet whole."""
        return len(self._rest)

    def pcm16(self, piece: bytes) -> bytes:
        """What is whole by now."""
        raw = self._rest + piece
        whole = len(raw) - len(raw) % (self._sound.width_bytes * self._sound.channels)
        self._rest = raw[whole:]
        sound = self._sound
        chunk = AudioChunk(sound.rate_hz, sound.width_bytes, sound.channels, raw[:whole])
        converted: bytes = self._library.convert(chunk).audio
        return converted

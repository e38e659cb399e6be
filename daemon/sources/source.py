"""What every source offers, and which one a SPEC names."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Literal, Protocol

from digitd.daemon.audio import HIGHEST_RATE_HZ, LOWEST_RATE_HZ, Block
from digitd.daemon.events import SourceTrouble
from digitd.daemon.settings import setting

if TYPE_CHECKING:
    from digitd.daemon.sources.pipe import PipeSource
    from digitd.daemon.sources.recording import RecordingSource


POLL_S = 0.1
"""So long a source is waited for at a time."""


@dataclass(frozen=True)
class SourceConfig:
    """Where audio comes from."""

    spec: str = "mic"
    """`mic`, `mic:NAME`, `-` (raw s16le on stdin), the path of a WAV or FLAC file, or `unix:PATH`, a socket that
    streams come over."""
    name: str = ""
    """Of the stream on its events; empty: the source's own."""
    rate_hz: int = setting(16000, at_least=LOWEST_RATE_HZ, at_most=HIGHEST_RATE_HZ)
    """Rate of raw samples on stdin; files know theirs."""
    channels: int = setting(1, at_least=1, at_most=64)
    """Channels of raw samples on stdin, interleaved."""
    pace: Literal["fast", "realtime"] = "fast"
    """Whether a file or pipe runs as fast as it can."""

    @property
    def callers(self) -> Path | None:
        """The socket that streams come over, where it is none itself."""
        kind, _, path = self.spec.partition(":")
        return Path(path) if kind == "unix" and path else None


@dataclass(frozen=True)
class Interruption:
    """A live source has no more sound to give; the first block after it tells how much is missing."""

    state: SourceTrouble


class Source(Protocol):
    """A stream of audio."""

    name: str
    """The stream's name on its events."""
    live: bool
    """Whether it goes on whether or not anybody listens."""

    patience_s: float
    """`blocks` waits no longer for sound before it hands over an empty block; 0 where the source is one of many."""

    rests: bool
    """Told whether the room has been quiet for a while: then a microphone may hand over more at a time, and later."""

    @property
    def rate_hz(self) -> int:
        """Of its frames."""
        ...

    @property
    def waiting_s(self) -> float:
        """How much audio has come and was not taken in."""
        ...

    def blocks(self, stop: Event) -> Iterator[Block | Interruption]:
        """Blocks as they come, empty ones where none do, until the source ends or `stop` is set.

        Raises:
            AudioError: the audio is damaged, or no longer comes.
        """
        ...

    def close(self) -> None:
        """Give the device or file back."""
        ...


def open_source(config: SourceConfig, rate_hz: int) -> Source:
    """The source that `config.spec` names; `rate_hz` is what a microphone is asked for first.

    Raises:
        AudioError: it cannot be opened.
    """
    if config.spec == "mic" or config.spec.startswith("mic:"):
        from digitd.daemon.sources.microphone import MicrophoneSource

        return MicrophoneSource(config.spec.removeprefix("mic").removeprefix(":") or None, rate_hz)
    source = _recorded(config)
    if config.pace == "realtime":
        from digitd.daemon.sources.paced import PacedSource

        return PacedSource(source)
    return source


def _recorded(config: SourceConfig) -> "PipeSource | RecordingSource":
    if config.spec == "-":
        from digitd.daemon.sources.pipe import PipeSource

        return PipeSource(config.rate_hz, config.channels)
    from digitd.daemon.sources.recording import RecordingSource

    return RecordingSource(Path(config.spec))

"""Chunks -> what was found in them: by a network that hears whole utterances, or by one that listens all the time."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from digitd.daemon.acoustics import Acoustics
from digitd.daemon.audio import Chunk
from digitd.daemon.bundle import Bundle
from digitd.daemon.embedding import DigitConfig
from digitd.daemon.events import Digit, Doubt, Rejected
from digitd.daemon.glimpse import Lookout
from digitd.daemon.mode import Mode
from digitd.daemon.recogniser import Recogniser
from digitd.daemon.segmenter import SegmenterConfig
from digitd.daemon.spotter import Spotter
from digitd.daemon.stream_listener import StreamListener
from digitd.daemon.utterance_listener import UtteranceListener

Network = Recogniser | Spotter
Found = Digit | Rejected | Doubt


def open_network(bundle: Bundle, provider: str = "auto") -> Network:
    """The bundle's network, proved.

    Raises:
        BundleError: it does not answer as it did when it was released.
        ProviderError: CUDA was asked for and is not in use, or no server answers.
    """
    return Recogniser(bundle, provider) if bundle.manifest.stream is None else Spotter(bundle, provider)


class Listener(Protocol):
    """What the pipeline asks of either kind."""

    wake_s: float
    """When a string is over, where nothing more is said: what is said up to then is told by then, whatever the room."""

    def foresee(self, chunks: Sequence[Chunk]) -> Acoustics | None:
        """What is to be computed before these are pushed, where it can be with other streams'; else None."""
        ...

    def push(self, chunk: Chunk) -> Iterator[Found]:
        """What `chunk` brings to light."""
        ...

    def show(self, lookout: Lookout | None) -> None:
        """Let somebody look on from here on, or nobody any more."""
        ...

    def finish(self) -> Iterator[Found]:
        """What is pending at the end of the stream, or before a gap."""
        ...

    def switch(self, mode: Mode) -> None:
        """Go by the threshold of `mode` from here on, for what is open too."""
        ...

    @property
    def rests(self) -> bool:
        """Whether the room has been quiet for a while, and nobody looks on."""
        ...

    @property
    def quiet_until_s(self) -> float:
        """Up to here, nothing can come any more."""
        ...


def listener(network: Network, mode: Mode, segmenter: SegmenterConfig, digit: DigitConfig) -> Listener:
    """The listener that a network needs."""
    if isinstance(network, Spotter):
        return StreamListener(network, mode, segmenter, digit)
    return UtteranceListener(network, mode, segmenter)

"""Wires the stages: audio -> vad -> segmenter, features -> network -> decoder (the listener) -> strings."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from digitd.daemon.audio import Block, Chunk, Intake
from digitd.daemon.bundle import Mode
from digitd.daemon.embedding import DigitConfig
from digitd.daemon.events import Body, Digit, Doubt, End, SourceState
from digitd.daemon.listener import Found, Network, listener
from digitd.daemon.segmenter import SegmenterConfig
from digitd.daemon.string_decoder import StringConfig, StringDecoder


@dataclass(frozen=True)
class PipelineConfig:
    """Settings of the stages that digitd.toml may change."""

    segmenter: SegmenterConfig = field(default_factory=SegmenterConfig)
    string: StringConfig = field(default_factory=StringConfig)
    digit: DigitConfig = field(default_factory=DigitConfig)


class Pipeline:
    """One stream, from the blocks of its source to the bodies of its events."""

    def __init__(self, network: Network, mode: Mode, source_rate_hz: int, config: PipelineConfig) -> None:
        self._rate_hz = network.bundle.manifest.sample_rate_hz
        self._intake = Intake(source_rate_hz, self._rate_hz)
        self._listener = listener(network, mode, config.segmenter, config.digit)
        self._strings = StringDecoder(config.string)
        self._taken_in_s = 0.0

    def switch(self, mode: Mode) -> None:
        """Go by the threshold of `mode` from here on, for the word that is open too."""
        self._listener.switch(mode)

    def push(self, block: Block) -> Iterator[Body]:
        """What `block` brings to light.

        Raises:
            AudioError: a sample is NaN or infinite; what was said before it has come out.
        """
        for chunk in self._intake.push(block):
            yield from self._hear(chunk)

    def finish(self) -> Iterator[Body]:
        """Everything pending, and the end."""
        for chunk in self._intake.finish():
            yield from self._hear(chunk)
        yield from self._published(self._listener.finish())
        yield from self._strings.finish(self._taken_in_s)
        yield End(self._taken_in_s)

    def _hear(self, chunk: Chunk) -> Iterator[Body]:
        if chunk.dropped_s:  # what was open before the gap is decided before it is told
            yield from self._published(self._listener.finish())
        self._taken_in_s = chunk.taken_in_s
        if chunk.dropped_s:
            yield SourceState("overrun", chunk.dropped_s, chunk.start_sample / self._rate_hz)
        yield from self._published(self._listener.push(chunk))
        yield from self._strings.advance(self._listener.quiet_until_s, self._taken_in_s)

    def _published(self, found: Iterator[Found]) -> Iterator[Body]:
        for body in found:
            if isinstance(body, Doubt):
                self._strings.consider(body)
                continue
            if isinstance(body, Digit):
                yield from self._strings.add(body)
            yield body

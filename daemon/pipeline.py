"""Wires the stages: audio -> vad -> segmenter, features -> network -> decoder (the listener) -> strings."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from digitd.daemon.acoustics import Acoustics
from digitd.daemon.audio import Block, Chunk, Intake
from digitd.daemon.embedding import DigitConfig
from digitd.daemon.errors import AudioError
from digitd.daemon.events import Body, Digit, Doubt, End, SourceState, SourceTrouble
from digitd.daemon.glimpse import LOUDEST_STREAM, LOUDEST_UTTERANCE, Glimpse, Lookout
from digitd.daemon.listener import Found, Network, listener
from digitd.daemon.mode import Mode
from digitd.daemon.segmenter import SegmenterConfig
from digitd.daemon.signal_watch import SignalWatch
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
        self._network, self._mode = network, mode
        self._rate_hz = network.bundle.manifest.sample_rate_hz
        self._intake = Intake(source_rate_hz, self._rate_hz)
        self._watch = SignalWatch()
        self._taken_in_s = 0.0
        self._lookout: Lookout | None = None
        self._foreseen: list[Chunk] = []
        self._trouble: AudioError | None = None
        self._begin(config)
        self._fresh = False

    def _begin(self, config: PipelineConfig) -> None:
        """The stages that hang on settings, as at the beginning of a stream."""
        self._listener = listener(self._network, self._mode, config.segmenter, config.digit)
        self._listener.show(self._lookout)
        self._strings = StringDecoder(config.string)
        self._fresh = True

    def switch(self, mode: Mode) -> None:
        """Go by the threshold of `mode` from here on, for the word that is open too."""
        self._mode = mode
        self._listener.switch(mode)

    @property
    def watched(self) -> bool:
        """Whether somebody looks on; then `glimpse` has something to show.

        It changes no event, but that one may come sooner, by what is else heard at a time in a quiet room.
        """
        return self._lookout is not None

    @watched.setter
    def watched(self, wanted: bool) -> None:
        if wanted != self.watched:
            manifest = self._network.bundle.manifest
            loudest = LOUDEST_UTTERANCE if manifest.stream is None else LOUDEST_STREAM
            self._lookout = Lookout(manifest.labels, loudest) if wanted else None
            self._listener.show(self._lookout)

    def glimpse(self) -> Glimpse | None:
        """What was heard since the last one, where somebody looks on and enough was."""
        return None if self._lookout is None else self._lookout.glimpse(self._taken_in_s, clipping=self._watch.clipping)

    @property
    def rests(self) -> bool:
        """Whether the room has been quiet for a while, and nobody looks on."""
        return self._listener.rests

    def reconfigure(self, config: PipelineConfig) -> Iterator[Body]:
        """Go by other, checked settings from the next live chunk on; the present ones decide what is open."""
        yield from self._decide()
        self._begin(config)

    def interrupt(self, state: SourceTrouble) -> Iterator[Body]:
        """What is open, decided as at the end of the stream, and that the source is in trouble."""
        for chunk in self._intake.finish():
            yield from self._hear(chunk)
        yield from self._decide()
        yield SourceState(state, 0.0, self._taken_in_s)

    def loudest_dbfs(self) -> float:
        """The loudest sample since this was last asked."""
        return self._watch.loudest_dbfs()

    def _decide(self) -> Iterator[Body]:
        yield from self._published(self._listener.finish())
        yield from self._strings.finish(self._taken_in_s)

    def push(self, block: Block) -> Iterator[Body]:
        """What `block` brings to light.

        Raises:
            AudioError: a sample is NaN or infinite; what was said before it has come out.
        """
        for chunk in self._intake.push(block):
            yield from self._hear(chunk)

    def foresee(self, block: Block) -> Acoustics | None:
        """What is to be computed before `heard`, where it can be with other streams'; else None."""
        self._foreseen, self._trouble = [], None
        try:
            for chunk in self._intake.push(block):
                self._foreseen.append(chunk)
        except AudioError as error:
            self._trouble = error
        return None if self._fresh else self._listener.foresee(self._foreseen)

    def heard(self) -> Iterator[Body]:
        """What the block that was foreseen brings to light.

        Raises:
            AudioError: as `push`.
        """
        for chunk in self._foreseen:
            yield from self._hear(chunk)
        if self._trouble:
            raise self._trouble

    def finish(self) -> Iterator[Body]:
        """Everything pending, and the end."""
        for chunk in self._intake.finish():
            yield from self._hear(chunk)
        yield from self._decide()
        yield End(self._taken_in_s)

    def _hear(self, chunk: Chunk) -> Iterator[Body]:
        if chunk.gap:  # what was open before the gap is decided before it is told
            yield from self._published(self._listener.finish())
        self._taken_in_s = chunk.taken_in_s
        if chunk.gap:
            yield SourceState(chunk.gap, chunk.dropped_s, chunk.start_sample / self._rate_hz)
        elif self._fresh:
            chunk = replace(chunk, reloaded=True)
        self._fresh = False
        for state in self._watch.push(chunk):
            yield SourceState(state, 0.0, self._taken_in_s)
        self._listener.wake_s = self._strings.over_s
        yield from self._published(self._listener.push(chunk))
        if self._strings.is_open:
            yield from self._strings.advance(self._listener.quiet_until_s, self._taken_in_s)

    def _published(self, found: Iterator[Found]) -> Iterator[Body]:
        for body in found:
            if isinstance(body, Doubt):
                self._strings.consider(body)
                continue
            if isinstance(body, Digit):
                yield from self._strings.add(body)
            yield body

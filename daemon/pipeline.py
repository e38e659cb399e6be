"""Wires the stages: audio -> vad -> segmenter -> features -> recogniser -> decoder."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from digitd.daemon.audio import Block, Chunk, Intake
from digitd.daemon.bundle import Mode
from digitd.daemon.decoder import IsolatedDecoder, StringCollector, StringConfig
from digitd.daemon.events import Body, Digit, End, SourceState
from digitd.daemon.features import LogMel
from digitd.daemon.recogniser import Recogniser
from digitd.daemon.segmenter import Segmenter, SegmenterConfig, Utterance
from digitd.daemon.vad import FrameVad


@dataclass(frozen=True)
class PipelineConfig:
    """Settings of the stages that digitd.toml may change."""

    segmenter: SegmenterConfig = field(default_factory=SegmenterConfig)
    string: StringConfig = field(default_factory=StringConfig)


class FrontEnd:
    """Chunks -> utterances: what the daemon and the trainer both hear with."""

    def __init__(self, rate_hz: int, config: SegmenterConfig) -> None:
        self._vad = FrameVad(rate_hz, config.vad_mode)
        self._segmenter = Segmenter(config)

    @property
    def quiet_until_sample(self) -> int:
        """Where the open utterance, or what may become one, begins; else how far the stream was heard."""
        return self._segmenter.quiet_until_sample

    def push(self, chunk: Chunk) -> Iterator[Utterance]:
        """Utterances that end within `chunk`."""
        for frame in self._vad.push(chunk):
            yield from self._segmenter.push(frame)

    def finish(self) -> Iterator[Utterance]:
        """The utterance that is open at the end of the stream."""
        for frame in self._vad.finish():
            yield from self._segmenter.push(frame)
        yield from self._segmenter.finish()


class Pipeline:
    """One stream, from the blocks of its source to the bodies of its events."""

    def __init__(self, recogniser: Recogniser, mode: Mode, source_rate_hz: int, config: PipelineConfig) -> None:
        manifest = recogniser.bundle.manifest
        self._recogniser = recogniser
        self._rate_hz = manifest.features.sample_rate_hz
        self._intake = Intake(source_rate_hz, self._rate_hz)
        self._front_end = FrontEnd(self._rate_hz, config.segmenter)
        self._log_mel = LogMel(manifest.features)
        self._decoder = IsolatedDecoder(manifest.labels, manifest.thresholds.of(mode))
        self._strings = StringCollector(config.string)
        self._taken_in_s = 0.0

    def switch(self, mode: Mode) -> None:
        """Go by the threshold of `mode` from here on, for the utterance that is open too."""
        self._decoder.threshold = self._recogniser.bundle.manifest.thresholds.of(mode)

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
        yield from self._close_front_end()
        yield from self._strings.finish(self._taken_in_s)
        yield End(self._taken_in_s)

    def _close_front_end(self) -> Iterator[Body]:
        for utterance in self._front_end.finish():
            yield from self._recognise(utterance)

    def _hear(self, chunk: Chunk) -> Iterator[Body]:
        if chunk.dropped_s:  # what was open before the gap is decided before it is told
            yield from self._close_front_end()
        self._taken_in_s = chunk.taken_in_s
        if chunk.dropped_s:
            yield SourceState("overrun", chunk.dropped_s, chunk.start_sample / self._rate_hz)
        for utterance in self._front_end.push(chunk):
            yield from self._recognise(utterance)
        yield from self._strings.advance(self._front_end.quiet_until_sample / self._rate_hz, self._taken_in_s)

    def _recognise(self, utterance: Utterance) -> Iterator[Body]:
        features = self._log_mel.spectrogram(utterance.samples)
        found = self._decoder.decide(
            self._recogniser.posteriors(features[np.newaxis])[0],
            start_s=utterance.start_sample / self._rate_hz,
            end_s=utterance.end_sample / self._rate_hz,
            emitted_s=self._taken_in_s,
        )
        if isinstance(found, Digit):
            yield from self._strings.add(found)
        yield found

"""Chunks -> digits, by a network that hears whole utterances: each stretch of speech is one digit, or none."""

from collections.abc import Iterator, Sequence

import numpy as np

from digitd.daemon.audio import Chunk
from digitd.daemon.decoder import IsolatedDecoder
from digitd.daemon.events import Digit, Rejected
from digitd.daemon.features import LogMel
from digitd.daemon.front_end import FrontEnd
from digitd.daemon.glimpse import Lookout
from digitd.daemon.mode import Mode
from digitd.daemon.recogniser import Recogniser
from digitd.daemon.segmenter import SegmenterConfig, Utterance


class UtteranceListener:
    """Each stretch of speech is one digit, or none."""

    def __init__(self, recogniser: Recogniser, mode: Mode, config: SegmenterConfig) -> None:
        self._recogniser = recogniser
        manifest = recogniser.bundle.manifest
        self._rate_hz = recogniser.spec.sample_rate_hz
        self._front_end = FrontEnd(self._rate_hz, config)
        self._log_mel = LogMel(recogniser.spec)
        self._decoder = IsolatedDecoder(manifest.labels, manifest.thresholds.of(mode))
        self._taken_in_s = 0.0
        self.wake_s = float("inf")

    @property
    def quiet_until_s(self) -> float:
        """Where the open utterance, or what may become one, begins; else how far the stream was heard."""
        return self._front_end.quiet_until_sample / self._rate_hz

    @property
    def rests(self) -> bool:
        """Never: the network runs for words alone."""
        return False

    def foresee(self, _chunks: Sequence[Chunk]) -> None:
        """Nothing: utterances end one by one."""

    def switch(self, mode: Mode) -> None:
        """For the utterance that is open too."""
        self._decoder.threshold = self._recogniser.bundle.manifest.thresholds.of(mode)

    def show(self, lookout: Lookout | None) -> None:
        """It sees whole utterances, when they are over."""
        self._front_end.lookout = lookout

    def push(self, chunk: Chunk) -> Iterator[Digit | Rejected]:
        """What the utterances are that end within `chunk`."""
        self._taken_in_s = chunk.taken_in_s
        for utterance in self._front_end.push(chunk):
            yield self._recognised(utterance)

    def finish(self) -> Iterator[Digit | Rejected]:
        """What the open utterance is."""
        for utterance in self._front_end.finish():
            yield self._recognised(utterance)

    def _recognised(self, utterance: Utterance) -> Digit | Rejected:
        features = self._log_mel.spectrogram(utterance.samples)
        posteriors = self._recogniser.posteriors(features[np.newaxis])[0]
        if lookout := self._front_end.lookout:
            lookout.see(features.T)
            lookout.weigh(posteriors)
        return self._decoder.decide(
            posteriors,
            start_s=utterance.start_sample / self._rate_hz,
            end_s=utterance.end_sample / self._rate_hz,
            emitted_s=self._taken_in_s,
        )

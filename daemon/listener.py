"""Chunks -> what was found in them: by a network that hears whole utterances, or by one that listens all the time."""

from collections import deque
from collections.abc import Iterator
from typing import Protocol

import numpy as np

from digitd.daemon.audio import Chunk
from digitd.daemon.bundle import Bundle, Mode
from digitd.daemon.decoder import IsolatedDecoder
from digitd.daemon.events import Digit, Rejected
from digitd.daemon.features import LogMel
from digitd.daemon.front_end import FrontEnd
from digitd.daemon.recogniser import Recogniser
from digitd.daemon.segmenter import SegmenterConfig, Utterance
from digitd.daemon.session import Provider
from digitd.daemon.spotter import Spotter, SpotterStream
from digitd.daemon.stream_decoder import Candidate, StreamDecoder
from digitd.daemon.stream_features import MelFrames, MelStream
from digitd.daemon.word_span import WordSpan

Network = Recogniser | Spotter
Found = Digit | Rejected


def open_network(bundle: Bundle, provider: Provider = "auto") -> Network:
    """The bundle's network, proved.

    Raises:
        BundleError: it does not answer as it did when it was released.
        ProviderError: CUDA was asked for and is not in use.
    """
    return Recogniser(bundle, provider) if bundle.manifest.stream is None else Spotter(bundle, provider)


class Listener(Protocol):
    """What the pipeline asks of either kind."""

    def push(self, chunk: Chunk) -> Iterator[Found]:
        """What `chunk` brings to light."""
        ...

    def finish(self) -> Iterator[Found]:
        """What is pending at the end of the stream, or before a gap."""
        ...

    def switch(self, mode: Mode) -> None:
        """Go by the threshold of `mode` from here on, for what is open too."""
        ...

    @property
    def quiet_until_s(self) -> float:
        """Up to here, nothing can come any more."""
        ...


def listener(network: Network, mode: Mode, config: SegmenterConfig) -> Listener:
    """The listener that a network needs."""
    if isinstance(network, Spotter):
        return StreamListener(network, mode, config)
    return UtteranceListener(network, mode, config)


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

    @property
    def quiet_until_s(self) -> float:
        """Where the open utterance, or what may become one, begins; else how far the stream was heard."""
        return self._front_end.quiet_until_sample / self._rate_hz

    def switch(self, mode: Mode) -> None:
        """For the utterance that is open too."""
        self._decoder.threshold = self._recogniser.bundle.manifest.thresholds.of(mode)

    def push(self, chunk: Chunk) -> Iterator[Found]:
        """What the utterances are that end within `chunk`."""
        self._taken_in_s = chunk.taken_in_s
        for utterance in self._front_end.push(chunk):
            yield self._recognised(utterance)

    def finish(self) -> Iterator[Found]:
        """What the open utterance is."""
        for utterance in self._front_end.finish():
            yield self._recognised(utterance)

    def _recognised(self, utterance: Utterance) -> Found:
        features = self._log_mel.spectrogram(utterance.samples)
        return self._decoder.decide(
            self._recogniser.posteriors(features[np.newaxis])[0],
            start_s=utterance.start_sample / self._rate_hz,
            end_s=utterance.end_sample / self._rate_hz,
            emitted_s=self._taken_in_s,
        )


REJECTED_AFTER_S = 0.4
"""A digit is published at most so long after its end; speech that none came out of by then was none."""
FLUSHED_S = 0.4
"""So much silence is heard after the end of a stream, that a digit cut by it is decided."""
BUSY_S = 1.5
"""Speech that goes on for longer is no digit, or noise: it holds no string open."""


class StreamListener:
    """The network listens to every frame; the speech detector tells only what was said and was no digit."""

    def __init__(self, spotter: Spotter, mode: Mode, config: SegmenterConfig) -> None:
        self._spotter = spotter
        self._spec = spotter.spec
        self._front_end = FrontEnd(self._spec.sample_rate_hz, config)
        self._threshold = spotter.bundle.manifest.thresholds.of(mode)
        self._utterances: deque[Utterance] = deque()
        self._guesses: deque[Candidate] = deque()
        self._digit_end_s = -1.0
        self._taken_in_s = 0.0
        self._begin(0)

    def _begin(self, sample: int) -> None:
        self._mel, self._outputs = MelStream(self._spec), SpotterStream(self._spotter)
        self._decoder = StreamDecoder(self._spotter.bundle.manifest.labels, self._threshold)
        self._span = WordSpan(self._spec.sample_rate_hz)
        self._start_sample, self._heard_outputs = sample, 0

    @property
    def _heard_s(self) -> float:
        """How far the network has heard."""
        heard = self._start_sample + self._heard_outputs * self._spec.frames_per_output * self._spec.hop_samples
        return heard / self._spec.sample_rate_hz

    @property
    def quiet_until_s(self) -> float:
        """Where speech that may still become a digit begins; else how far the network's answers reach."""
        speech_s = self._front_end.quiet_until_sample / self._spec.sample_rate_hz
        waiting_s = min((self._start_s(utterance) for utterance in self._utterances), default=speech_s)
        return max(min(speech_s, waiting_s, self._heard_s), self._heard_s - BUSY_S)

    def switch(self, mode: Mode) -> None:
        """From the next output on."""
        self._threshold = self._decoder.threshold = self._spotter.bundle.manifest.thresholds.of(mode)

    def push(self, chunk: Chunk) -> Iterator[Found]:
        """Digits that have ended, and speech that was none."""
        if chunk.dropped_s:
            self._begin(chunk.start_sample)
        self._taken_in_s = chunk.taken_in_s
        self._utterances.extend(self._front_end.push(chunk))
        self._span.push(chunk.samples)
        yield from self._hear(self._mel.push(chunk.samples))

    def finish(self) -> Iterator[Found]:
        """The digit that the end has cut, and the speech that is still open."""
        self._utterances.extend(self._front_end.finish())
        n_frames = round(FLUSHED_S * self._spec.sample_rate_hz / self._spec.hop_samples)
        yield from self._hear(np.zeros((n_frames, self._spec.n_mels), np.float32))
        yield from self._reject(until_s=np.inf)

    def _hear(self, frames: MelFrames) -> Iterator[Found]:
        for posteriors in self._outputs.push(frames):
            self._heard_outputs += 1
            guess, accepted = self._decoder.push(posteriors, self._heard_s)
            self._guesses.append(guess)
            if accepted:
                yield self._digit(guess)
            yield from self._reject(self._heard_s - REJECTED_AFTER_S)

    def _digit(self, guess: Candidate) -> Digit:
        origin_s = self._start_sample / self._spec.sample_rate_hz
        start_s, end_s = self._span.before(self._heard_s - origin_s)
        start_s = max(origin_s + start_s, self._digit_end_s)
        self._digit_end_s = max(origin_s + end_s, start_s)
        return Digit(guess.label, guess.confidence, start_s, self._digit_end_s, self._taken_in_s)

    def _reject(self, until_s: float) -> Iterator[Rejected]:
        """Utterances that ended before `until_s` without a digit in them."""
        while self._utterances and self._end_s(self._utterances[0]) <= until_s:
            utterance = self._utterances.popleft()
            start_s, end_s = self._start_s(utterance), self._end_s(utterance)
            while self._guesses and self._guesses[0].at_s < start_s:
                self._guesses.popleft()
            within = [guess for guess in self._guesses if guess.at_s <= end_s + REJECTED_AFTER_S]
            if self._digit_end_s < start_s and within:
                best = max(within, key=lambda guess: guess.confidence)
                yield Rejected(best.label, best.confidence, start_s, end_s, self._taken_in_s)
        if not self._utterances:  # of what no utterance will ask for any more
            oldest_s = min(self._front_end.quiet_until_sample / self._spec.sample_rate_hz, self._heard_s)
            while self._guesses and self._guesses[0].at_s < oldest_s:
                self._guesses.popleft()

    def _start_s(self, utterance: Utterance) -> float:
        return utterance.start_sample / self._spec.sample_rate_hz

    def _end_s(self, utterance: Utterance) -> float:
        return utterance.end_sample / self._spec.sample_rate_hz

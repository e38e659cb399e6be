"""Chunks -> digits, by a network that listens all the time."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from digitd.daemon.acoustics import Acoustics
from digitd.daemon.audio import Chunk
from digitd.daemon.embedding import DigitConfig, EmbeddingGate, Found
from digitd.daemon.events import Digit, Doubt, Rejected
from digitd.daemon.front_end import FrontEnd
from digitd.daemon.glimpse import Lookout
from digitd.daemon.mode import Mode
from digitd.daemon.segmenter import SegmenterConfig, Utterance
from digitd.daemon.spotter import Posteriors, Spotter
from digitd.daemon.stream_decoder import Candidate, StreamDecoder
from digitd.daemon.vad import FRAME_MS
from digitd.daemon.word_span import WordSpan

REJECTED_AFTER_S = 0.4
"""A digit is published at most so long after its end; speech that none came out of by then was none."""
FLUSHED_S = 0.4
"""So much silence is heard after the end of a stream, that a digit cut by it is decided."""
DOUBT_SHARE = 0.1
"""Least confidence of a guess that a string's format may take for a digit after all."""
DOUBT_APART_S = 0.2
"""Two digits do not end closer to each other."""
BUSY_S = 1.5
"""Speech that goes on for longer is no digit, or noise: it holds no string open."""
PAUSE_AFTER_S = 0.14
"""So long after speech was over, which is known 0.2 s after its end, a digit in it has been told too."""
PAUSE_BATCH_S = 0.16
"""Then so much is heard at a time: a call of the network for four outputs costs a third more than for one."""
ONSET_S = 0.12
"""So soon after speech has begun, no digit is over and settled."""
QUIET_AFTER_S = 0.5
"""So long after the last speech, and where no string is open, nothing is on its way."""
QUIET_BATCH_S = 0.4
"""Then so much is heard at a time: each call of the network from idleness costs as much as two or three hot ones."""


class StreamListener:
    """The network listens to every frame; the speech detector tells only what was said and was no digit."""

    def __init__(self, spotter: Spotter, mode: Mode, segmenter: SegmenterConfig, digit: DigitConfig) -> None:
        self._spotter = spotter
        self._spec = spotter.spec
        self._frame_samples = FRAME_MS * self._spec.sample_rate_hz // 1000
        self._front_end = FrontEnd(self._spec.sample_rate_hz, segmenter)
        self._digit_config = digit
        self._utterances: deque[Utterance] = deque()
        self._guesses: deque[Candidate] = deque()
        self._word_end_s = self._digit_end_s = -1.0  # of the last word that a digit was found in, and was published
        self._taken_in_s = 0.0
        self._threshold = 1.0
        self.wake_s = float("inf")
        """When a string is over, where nothing more is said: up to then is heard by then, whatever the room."""
        self._begin(0)
        self.switch(mode)

    def _begin(self, sample: int) -> None:
        self._acoustics = Acoustics(self._spotter)
        manifest = self._spotter.bundle.manifest
        self._decoder = StreamDecoder(manifest.labels, self._threshold, manifest.decoding, manifest.kind)
        self._span = WordSpan(self._spec.sample_rate_hz)
        self._gate = EmbeddingGate()
        self._doubt: Candidate | None = None
        self._start_sample, self._heard_outputs = sample, 0
        self._speech_sample = sample  # where speech was last
        self._pause_sample = sample  # where nothing was said last
        self._silent_s = 0.0  # for how long nothing has been said
        self._batch_outputs = 1  # so many outputs are heard at a time: more in a pause, and most in a quiet room

    @property
    def _heard_s(self) -> float:
        """How far the network has heard."""
        return (self._start_sample + self._heard_outputs * self._acoustics.output_samples) / self._spec.sample_rate_hz

    @property
    def quiet_until_s(self) -> float:
        """Where speech that may still become a digit begins; else how far the network's answers reach."""
        speech_s = self._front_end.quiet_until_sample / self._spec.sample_rate_hz
        waiting_s = min((self._start_s(utterance) for utterance in self._utterances), default=speech_s)
        return max(min(speech_s, waiting_s, self._heard_s), self._heard_s - BUSY_S)

    @property
    def rests(self) -> bool:
        """Whether nothing was said for QUIET_AFTER_S, no string is open, and none looks on."""
        return self._silent_s >= QUIET_AFTER_S and self.wake_s == float("inf")

    def switch(self, mode: Mode) -> None:
        """From the next output on."""
        self._threshold = self._decoder.threshold = self._spotter.bundle.manifest.thresholds.of(mode)
        self._embedded = self._digit_config.embedded if mode == "always" else "accept"

    def show(self, lookout: Lookout | None) -> None:
        """Also in a quiet room it then hears at once."""
        self._front_end.lookout = lookout

    def foresee(self, chunks: Sequence[Chunk]) -> Acoustics | None:
        """What is to be computed before these are pushed, where it can be with other streams'; else None."""
        for chunk in chunks:
            if chunk.fresh:
                break
            self._take_in(chunk)
        taken_outputs = self._acoustics.taken_samples // self._acoustics.output_samples
        due = taken_outputs - self._heard_outputs >= self._batch_outputs
        return self._acoustics if due and self._acoustics.lacks else None

    def push(self, chunk: Chunk) -> Iterator[Digit | Rejected | Doubt]:
        """Digits that have ended, and speech that was none."""
        if chunk.fresh:
            self._begin(chunk.start_sample)
        self._taken_in_s = chunk.taken_in_s
        self._utterances.extend(self._front_end.push(chunk))
        self._span.push(chunk.samples)
        self._take_in(chunk)
        end_sample = chunk.start_sample + len(chunk.samples)
        self._silent_s = self._silence_s(end_sample)
        self._batch_outputs = self._patience_outputs(end_sample)
        due = (end_sample - self._start_sample) // self._acoustics.output_samples - self._heard_outputs
        if due >= self._batch_outputs:
            frames, posteriors = self._acoustics.hear(due)
            if self._front_end.lookout:
                self._front_end.lookout.see(frames)
            yield from self._hear(posteriors)

    def _take_in(self, chunk: Chunk) -> None:
        """A chunk, with what has come behind it, unless it came ahead with one before."""
        if chunk.start_sample + len(chunk.samples) - self._start_sample > self._acoustics.taken_samples:
            self._acoustics.take_in([chunk.samples, *chunk.ahead])

    def _silence_s(self, sample: int) -> float:
        """For how long before `sample`, where taking in ended, nothing was said; 0 where somebody looks on."""
        if self._front_end.lookout or sample - self._front_end.quiet_until_sample >= self._frame_samples:
            self._speech_sample = sample
        return (sample - self._speech_sample) / self._spec.sample_rate_hz

    def _patience_outputs(self, sample: int) -> int:
        """How many outputs are heard at a time, up to `sample`: nothing that can be told now waits for the others."""
        string_is_over = self._heard_s < self.wake_s <= self._at_s(sample)
        if self._front_end.lookout or self._gate.holds or string_is_over:
            return 1
        if self._silent_s >= PAUSE_AFTER_S:
            self._pause_sample = sample
        if self.rests:
            return self._outputs(QUIET_BATCH_S)
        if self._at_s(sample - self._pause_sample) < ONSET_S:
            return self._outputs(PAUSE_BATCH_S)
        return max(self._decoder.soonest_outputs, self._outputs(max(0.0, self._decoder.deaf_until_s - self._heard_s)))

    def _outputs(self, duration_s: float) -> int:
        return int(duration_s * self._spec.sample_rate_hz / self._acoustics.output_samples + 1e-6)

    def _at_s(self, sample: int) -> float:
        return sample / self._spec.sample_rate_hz

    def finish(self) -> Iterator[Digit | Rejected | Doubt]:
        """The digit that the end has cut, and the speech that is still open."""
        self._utterances.extend(self._front_end.finish())
        n_frames = round(FLUSHED_S * self._spec.sample_rate_hz / self._spec.hop_samples)
        yield from self._hear(self._acoustics.flush(n_frames))
        yield from self._published(self._gate.finish())
        yield from self._reject(until_s=np.inf)

    def _hear(self, outputs: Posteriors) -> Iterator[Digit | Rejected | Doubt]:
        for posteriors in outputs:
            self._heard_outputs += 1
            if self._front_end.lookout:
                self._front_end.lookout.weigh(posteriors)
            guess, accepted = self._decoder.push(posteriors, self._heard_s)
            self._guesses.append(guess)
            yield from self._doubted(guess, accepted=accepted)
            if accepted:
                yield from self._published(self._found(guess))
            elif self._is_sure(guess):
                yield from self._published(self._gate.reassure(guess.label))
            yield from self._published(self._gate.advance(self._heard_s, self._pauses_after))
            yield from self._reject(self._heard_s - REJECTED_AFTER_S)

    def _found(self, guess: Candidate) -> Iterator[Digit]:
        """The digit, and one that waited for another, unless it is to wait itself."""
        origin_s = self._start_sample / self._spec.sample_rate_hz
        start_s, end_s = self._span.before(self._heard_s - origin_s)
        start_s = max(origin_s + start_s, self._word_end_s)
        self._word_end_s = max(origin_s + end_s, start_s)
        digit = Digit(
            guess.label, self._confidence(guess), start_s, self._word_end_s, self._taken_in_s, self._shares(guess)
        )
        sure = self._embedded == "accept" or self._is_sure(guess)
        return self._gate.admit(Found(digit, self._heard_s, guess.confidence >= self._threshold, sure))

    def _is_sure(self, guess: Candidate) -> bool:
        return guess.confidence >= self._spotter.bundle.manifest.thresholds.sure

    def _doubted(self, guess: Candidate, *, accepted: bool) -> Iterator[Doubt]:
        """The best of some guesses that were not enough, once a digit or nothing has followed them."""
        waiting = self._doubt
        if waiting and (guess.confidence < DOUBT_SHARE or accepted):
            self._doubt = None
            if not accepted or guess.at_s - waiting.at_s >= DOUBT_APART_S:  # else it was the same digit on its way up
                yield Doubt(self._shares(waiting), waiting.at_s)
        elif not accepted and self._decoder.is_new(guess) and guess.confidence >= DOUBT_SHARE:
            self._doubt = max(waiting or guess, guess, key=lambda each: each.confidence)

    def _shares(self, guess: Candidate) -> tuple[tuple[str, float], ...]:
        return tuple(zip(self._spotter.bundle.manifest.labels, guess.shares, strict=True))

    def _confidence(self, guess: Candidate) -> float:
        return self._spotter.bundle.manifest.calibration.confidence(guess.confidence)

    def _published(self, digits: Iterator[Digit]) -> Iterator[Digit]:
        for digit in digits:
            self._digit_end_s = digit.end_s
            yield replace(digit, emitted_s=self._taken_in_s)

    def _pauses_after(self, at_s: float) -> bool | None:
        return self._span.pauses_after(at_s - self._start_sample / self._spec.sample_rate_hz)

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
                yield Rejected(best.label, self._confidence(best), start_s, end_s, self._taken_in_s)
        if not self._utterances:  # of what no utterance will ask for any more
            oldest_s = min(self._front_end.quiet_until_sample / self._spec.sample_rate_hz, self._heard_s)
            while self._guesses and self._guesses[0].at_s < oldest_s:
                self._guesses.popleft()

    def _start_s(self, utterance: Utterance) -> float:
        return utterance.start_sample / self._spec.sample_rate_hz

    def _end_s(self, utterance: Utterance) -> float:
        return utterance.end_sample / self._spec.sample_rate_hz

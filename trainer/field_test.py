"""A bundle on composed streams: words, other words, running speech, noise.

Both operating points go through the daemon's whole pipeline; ladder, curve and reliability, which try many thresholds,
through its features, network and decoder (`Outputs`).
"""

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from digitd.daemon.audio import Block
from digitd.daemon.bundle import Thresholds
from digitd.daemon.events import Digit, Rejected
from digitd.daemon.listener import Network
from digitd.daemon.mode import Mode
from digitd.daemon.pipeline import Pipeline, PipelineConfig
from digitd.daemon.spotter import Spotter, SpotterStream
from digitd.daemon.stream_decoder import StreamDecoder
from digitd.daemon.stream_features import MelStream
from digitd.trainer.compose import Noise, Stream, isolated, noises, spoken
from digitd.trainer.corpora.recording import Recording
from digitd.trainer.scores import Word, assigned, share_right
from digitd.trainer.stock import is_negative

STREAM_SEED = 1
SNRS_DB = (20, 15, 10, 5, 0, -5)
CURVE = (*np.arange(0.2, 0.79, 0.05).round(2).tolist(), *np.arange(0.8, 0.985, 0.02).round(2).tolist())
"""Thresholds at which misses and false digits are counted."""
MODES: tuple[Mode, ...] = ("always", "entry")
N_BINS = 10
"""Of the reliability diagram."""
S_PER_HOUR = 3600


@dataclass(frozen=True)
class Heard:
    """A word and the events on it."""

    word: Word
    events: tuple[Digit | Rejected, ...]

    @property
    def digits(self) -> list[Digit]:
        """Those that were published."""
        return [event for event in self.events if isinstance(event, Digit)]

    @property
    def right(self) -> bool:
        """Exactly one digit event, and it is the word's."""
        return [event.digit for event in self.digits] == [self.word.label]


@dataclass(frozen=True)
class Streams:
    """What one part of a split is heard as."""

    digits: Stream
    noisy: Mapping[str, Mapping[int, Stream]]
    """The digits again: kind of noise -> signal-to-noise ratio -> stream."""
    words: Stream | None
    speech: Stream | None
    noise: Stream | None


def compose(
    recordings: Sequence[Recording], labels: Sequence[str], rate_hz: int, noises_seen: Sequence[Recording]
) -> Streams:
    """The streams of a part; `noises_seen` were trained on, those in the part were not."""
    digits = [r for r in recordings if r.kind == "word" and r.label in labels]
    words = [r for r in recordings if r.kind == "word" and is_negative(r, labels)]
    speech = [r for r in recordings if r.kind == "speech" and is_negative(r, labels)]
    unseen = [r for r in recordings if r.kind == "noise"]
    ladders = {"seen": noises_seen, "unseen": unseen}
    return Streams(
        isolated(digits, rate_hz, STREAM_SEED),
        {
            name: {snr_db: isolated(digits, rate_hz, STREAM_SEED, Noise(sounds, snr_db)) for snr_db in SNRS_DB}
            for name, sounds in ladders.items()
            if sounds
        },
        spoken(words, rate_hz, STREAM_SEED) if words else None,
        spoken(speech, rate_hz, STREAM_SEED) if speech else None,
        noises(unseen, rate_hz, STREAM_SEED) if unseen else None,
    )


class FieldTest:
    """Runs streams through the daemon's pipeline with one network, at the operating points of its bundle."""

    def __init__(self, network: Network) -> None:
        self._network = network

    @property
    def thresholds(self) -> Thresholds:
        """The bundle's."""
        return self._network.bundle.manifest.thresholds

    def events(self, stream: Stream, mode: Mode) -> list[Digit | Rejected]:
        """All that is published and rejected."""
        pipeline = Pipeline(self._network, mode, stream.rate_hz, PipelineConfig())
        bodies = [*pipeline.push(Block(stream.samples[:, np.newaxis])), *pipeline.finish()]
        return [body for body in bodies if isinstance(body, Digit | Rejected)]

    def digits(self, stream: Stream, mode: Mode) -> list[Digit]:
        """All that is published."""
        return [event for event in self.events(stream, mode) if isinstance(event, Digit)]

    def heard(self, stream: Stream, mode: Mode) -> list[Heard]:
        """What was made of each word."""
        on_words = assigned(stream.words, self.events(stream, mode))
        return [Heard(word, tuple(events)) for word, events in zip(stream.words, on_words, strict=True)]

    def false_per_hour(self, stream: Stream, mode: Mode) -> float:
        """Digits an hour in a stream that holds none."""
        return len(self.digits(stream, mode)) / stream.length_s * S_PER_HOUR

    def words_with_digit(self, stream: Stream, mode: Mode) -> dict[str, float]:
        """Share of the words on which any digit was published."""
        heard = self.heard(stream, mode)
        return share_right(sum(bool(item.digits) for item in heard), len(heard))


@dataclass(frozen=True)
class Point:
    """What a threshold gives; None where there was nothing to measure it on.

    `curve` measures without the rule for digits inside other speech (`embedding`), `through_pipeline` with it.
    """

    threshold: float
    right: float
    """Share of words."""
    words: float | None
    """Share of other words that give a digit."""
    speech_per_hour: float | None
    noise_per_hour: float | None

    def holds(self, max_words: float, max_false_per_hour: float) -> bool:
        """Whether it gives no more false digits than that."""
        per_hour = (rate for rate in (self.speech_per_hour, self.noise_per_hour) if rate is not None)
        return (self.words or 0.0) <= max_words and all(rate <= max_false_per_hour for rate in per_hour)


class Outputs:
    """What a spotter answers to a stream, so that many thresholds can be tried without hearing it again.

    The decoder is the daemon's; a digit is taken to lie where it was reported, less the usual delay.
    """

    DELAY_S = 0.3
    STEP_OUTPUTS = 250

    def __init__(self, spotter: Spotter, stream: Stream) -> None:
        spec = spotter.spec
        frames, answers = MelStream(spec).push(stream.samples), SpotterStream(spotter)
        length = self.STEP_OUTPUTS * spec.frames_per_output
        self._manifest, self._stream, self._posteriors = spotter.bundle.manifest, stream, []
        for begin in range(0, len(frames), length):
            self._posteriors += list(answers.push(frames[begin : begin + length]))
        self._output_s = spec.frames_per_output * spec.hop_samples / spec.sample_rate_hz

    def digits(self, threshold: float) -> list[Digit]:
        """What would be published at a threshold."""
        manifest = self._manifest
        decoder, found = StreamDecoder(manifest.labels, threshold, manifest.decoding, manifest.kind), []
        for number, posteriors in enumerate(self._posteriors, start=1):
            guess, accepted = decoder.push(posteriors, number * self._output_s)
            if accepted:
                at_s = guess.at_s - self.DELAY_S
                confidence = manifest.calibration.confidence(guess.confidence)
                found.append(Digit(guess.label, confidence, at_s, at_s, guess.at_s))
        return found

    def heard(self, threshold: float) -> list[Heard]:
        """What would be made of each word."""
        on_words = assigned(self._stream.words, self.digits(threshold))
        return [Heard(word, tuple(events)) for word, events in zip(self._stream.words, on_words, strict=True)]

    def per_hour(self, threshold: float) -> float:
        """Digits an hour."""
        return len(self.digits(threshold)) / self._stream.length_s * S_PER_HOUR


def curve(spotter: Spotter, streams: Streams) -> list[Point]:
    """Misses against false digits, over CURVE."""
    digits = Outputs(spotter, streams.digits)
    words, speech, noise = (
        stream and Outputs(spotter, stream) for stream in (streams.words, streams.speech, streams.noise)
    )
    return [
        Point(
            threshold,
            float(np.mean([item.right for item in digits.heard(threshold)])),
            float(np.mean([bool(item.events) for item in words.heard(threshold)])) if words else None,
            speech.per_hour(threshold) if speech else None,
            noise.per_hour(threshold) if noise else None,
        )
        for threshold in CURVE
    ]


@dataclass(frozen=True)
class Reliability:
    """How often digits are right, by their confidence."""

    confidences: tuple[float, ...]
    right: tuple[bool, ...]

    @cached_property
    def bins(self) -> list[tuple[float, float, int]]:
        """Mean confidence, share right and number of digits of each bin that has any."""
        confidences, right = np.array(self.confidences), np.array(self.right)
        number = np.minimum((confidences * N_BINS).astype(int), N_BINS - 1)
        return [
            (float(confidences[number == n].mean()), float(right[number == n].mean()), int((number == n).sum()))
            for n in np.unique(number)
        ]

    @property
    def expected_calibration_error(self) -> float:
        """Mean distance of confidence and share right (Naeini and others, 2015)."""
        if not self.confidences:
            return 0.0
        return sum(abs(confidence - right) * n for confidence, right, n in self.bins) / len(self.confidences)


def reliability(spotter: Spotter, streams: Streams, threshold: float) -> Reliability:
    """Over what is published at a threshold: on digits, in quiet and in noise, and on other words."""
    confidences, right = [], []
    for stream in (streams.digits, *streams.noisy.get("unseen", {}).values(), streams.words):
        for item in Outputs(spotter, stream).heard(threshold) if stream else ():
            confidences += [event.confidence for event in item.digits]
            right += [event.digit == item.word.label for event in item.digits]
    return Reliability(tuple(confidences), tuple(right))


def through_pipeline(spotter: Spotter, streams: Streams) -> Point:
    """What the bundle's threshold of mode `always` gives."""
    test, mode = FieldTest(spotter), MODES[0]
    return Point(
        test.thresholds.always,
        float(np.mean([item.right for item in test.heard(streams.digits, mode)])),
        test.words_with_digit(streams.words, mode)["share"] if streams.words else None,
        test.false_per_hour(streams.speech, mode) if streams.speech else None,
        test.false_per_hour(streams.noise, mode) if streams.noise else None,
    )


def summary(heard: Sequence[Heard]) -> dict[str, Any]:
    """Shares of words that were segmented at all, right, rejected; latency; each speaker alone."""
    speakers: dict[str, list[bool]] = defaultdict(list)
    for item in heard:
        speakers[item.word.speaker].append(item.right)
    latencies_s = [item.digits[-1].emitted_s - item.word.end_s for item in heard if item.right]
    return {
        "words": len(heard),
        "segmented": share_right(sum(bool(item.events) for item in heard), len(heard)),
        "right": share_right(sum(item.right for item in heard), len(heard)),
        "rejected": share_right(sum(any(isinstance(e, Rejected) for e in item.events) for item in heard), len(heard)),
        "latency_s": {f"p{q}": round(float(np.percentile(latencies_s, q)), 3) for q in (50, 95)} if latencies_s else {},
        "corpora": by_corpus(heard),
        "speakers": {name: share_right(sum(right), len(right)) for name, right in sorted(speakers.items())},
    }


def by_corpus(heard: Sequence[Heard]) -> dict[str, dict[str, float]]:
    """The share of words that were right, of each corpus."""
    corpora: dict[str, list[bool]] = defaultdict(list)
    for item in heard:
        corpora[item.word.corpus].append(item.right)
    return {name: share_right(sum(right), len(right)) for name, right in sorted(corpora.items())}


def measured(spotter: Spotter, streams: Streams, points: list[Point]) -> dict[str, Any]:
    """All that metrics.json says of a part: each mode of the bundle through the whole pipeline, noise, the curve."""
    test = FieldTest(spotter)
    noisy = {
        noise: {snr_db: Outputs(spotter, stream) for snr_db, stream in ladder.items()}
        for noise, ladder in streams.noisy.items()
    }
    calibration = reliability(spotter, streams, test.thresholds.entry)  # what is published at all
    return {
        **{mode: _mode(test, streams, noisy, mode) for mode in MODES},
        "curve": [dataclasses.asdict(point) for point in points],
        "expected_calibration_error": round(calibration.expected_calibration_error, 4),
        "reliability": [[round(value, 4) for value in row] for row in calibration.bins],
    }


def _in_noise(heard: Sequence[Heard]) -> dict[str, Any]:
    return {**share_right(sum(item.right for item in heard), len(heard)), "corpora": by_corpus(heard)}


def _mode(test: FieldTest, streams: Streams, noisy: Mapping[str, Mapping[int, Outputs]], mode: Mode) -> dict[str, Any]:
    row = summary(test.heard(streams.digits, mode))
    threshold = test.thresholds.of(mode)
    row["snr_db"] = {
        noise: {str(snr_db): _in_noise(outputs.heard(threshold)) for snr_db, outputs in ladder.items()}
        for noise, ladder in noisy.items()
    }
    if streams.words:
        row["other_words_with_a_digit"] = test.words_with_digit(streams.words, mode)
    for name, stream in (("speech", streams.speech), ("noise", streams.noise)):
        if stream:
            row[f"false_digits_per_hour_{name}"] = round(test.false_per_hour(stream, mode), 2)
            row[f"{name}_s"] = round(stream.length_s, 1)
    return row

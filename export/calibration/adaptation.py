"""Enrolment of one voice, and whether it is worth having: each prompt is heard by a network that was not taught it."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import soxr
from tqdm import tqdm

from digitd.daemon.audio import Block, Chunk, Intake, Samples
from digitd.daemon.errors import ExportError
from digitd.daemon.front_end import FrontEnd
from digitd.daemon.mode import Mode
from digitd.daemon.pipeline import PipelineConfig
from digitd.daemon.session import open_session
from digitd.daemon.spotter import NEXT_STATE, STATE, Spotter
from digitd.daemon.stream_decoder import StreamDecoder
from digitd.daemon.stream_features import MelStream
from digitd.export import enrolment, guard, last_layer
from digitd.export.calibration.hearing import MODES, Heard, hear
from digitd.export.calibration.hearing import digits as digits_of
from digitd.export.calibration.personal_bundle import Enrolled, stage
from digitd.export.calibration.share import by_chance
from digitd.export.calibration.take import Take
from digitd.export.enrolment import EnrolmentConfig, Hidden, Lesson, Spoken
from digitd.export.last_layer import Weights

N_FOLDS = 10
FEWEST_TAKES = 10
STRIDE = 3
"""Takes of one digit fall into folds so far apart: no fold holds out all takes of a digit."""
STEP_OUTPUTS = 250
SIGNIFICANT = 0.05
GUARD_MARGIN = 0.95
"""Of the digits that the guard's words gave, so many may be left: other words of people, whom it knows less well than
the programs that it was made by, then give about as many as before."""
HELD_BACK = tuple(n / 20 for n in range(41))
"""Log odds, tried one after the other."""
SPEEDS = (1.0, 0.93, 1.07)
"""A prompt is taught as it was said, and slower and lower, faster and higher: nobody says a word twice alike,"""
NOISES_DB = (20.0, 10.0)
"""and in noise, so far below it."""


@dataclass(frozen=True)
class Comparison:
    """What enrolment gives on prompts that it was not taught."""

    before: dict[Mode, list[Heard]]
    after: dict[Mode, list[Heard]]
    gains: tuple[float, ...]
    """Of each prompt, by how much its digit stands out more than before, from -2 to 2."""
    guard_before: dict[Mode, int]
    """Digits that other words of the guard give."""
    guard_after: dict[Mode, int]

    def gained(self, mode: Mode) -> int:
        """How many more prompts come right."""
        return sum(h.right for h in self.after[mode]) - sum(h.right for h in self.before[mode])

    @property
    def chance(self) -> float:
        """How likely such gains are where nothing has become better."""
        return by_chance(self.gains)

    @property
    def objections(self) -> list[str]:
        """Why it is not to be kept; empty where it is."""
        found = []
        if sum(self.gained(mode) for mode in MODES) <= 0 or any(self.gained(mode) < -1 for mode in MODES):
            found.append("no more of the held-back prompts come right")
        elif self.chance > SIGNIFICANT:
            found.append(
                f"they stand out by {np.mean(self.gains):+.2f} more, which may be chance (p = {self.chance:.2f}); "
                "more prompts would tell: --takes 4"
            )
        found += [
            f"in mode {mode} other words give {self.guard_after[mode]} digits in place of {self.guard_before[mode]}"
            for mode in MODES
            if self.guard_after[mode] > self.guard_before[mode]
        ]
        return found


class Adaptation:
    """One voice and one network.

    Args:
        spotter: the network as it is shipped, at the thresholds that will be used.
        takes: the person's prompts.
        config: of the daemon's pipeline.
        folder: for what is staged meanwhile.

    Raises:
        ExportError: the network cannot be enrolled into, or there are too few takes.
    """

    def __init__(self, spotter: Spotter, takes: Sequence[Take], config: PipelineConfig, folder: Path) -> None:
        if len(takes) < FEWEST_TAKES:
            raise ExportError(f"{len(takes)} recordings are too few to enrol with; give {FEWEST_TAKES} or more")
        self._spotter, self._takes, self._config, self._folder = spotter, takes, config, folder
        self._bundle = spotter.bundle
        self._labels = self._bundle.manifest.labels
        self._layer = last_layer.read(self._bundle.graph_path, self._bundle.manifest.graph.output)
        self._shipped = self._layer.weights
        self._settings = EnrolmentConfig()
        exposed = folder / "exposed.onnx"
        self._layer.exposing(exposed)
        self._session = open_session(exposed, "cpu")
        words, digits = (self._hidden(guard.read(name)) for name in (guard.TAUGHT_WORDS, guard.TAUGHT_DIGITS))
        self._guarded = enrolment.lesson_of_guard(words, digits, self._shipped, self._settings)

    def compare(self) -> Comparison:
        """Before and after, each prompt by a network that was taught the others, and the guard by the final one."""
        after: dict[int, dict[Mode, Heard]] = {}
        gains: list[float] = [0.0] * len(self._takes)
        fold_of = folds([take.label for take in self._takes], self._labels)
        for fold in tqdm(sorted(set(fold_of)), desc="  teaching", unit="fold", leave=False, disable=None):
            held_back = [n for n, each in enumerate(fold_of) if each == fold]
            rest = self._taught([n for n in range(len(self._takes)) if n not in held_back])
            weights = enrolment.held_back(rest, self._holding)
            takes = [self._takes[n] for n in held_back]
            heard = {mode: self._hear(weights, takes, mode) for mode in MODES}
            for place, n in enumerate(held_back):
                after[n] = {mode: heard[mode][place] for mode in MODES}
                gains[n] = self._clearness(n, weights) - self._clearness(n, self._shipped)
        return Comparison(
            before={mode: hear(self._spotter, self._takes, mode, self._config) for mode in MODES},
            after={mode: [after[n][mode] for n in range(len(self._takes))] for mode in MODES},
            gains=tuple(gains),
            guard_before=self._guard_digits(self._spotter),
            guard_after=self._guard_digits(self._staged(self.weights)),
        )

    @cached_property
    def weights(self) -> Weights:
        """Of a last layer that was taught all prompts, and holds back until other words give no more digits."""
        return enrolment.held_back(self._all_taught, self._holding)

    @cached_property
    def _all_taught(self) -> Weights:
        return self._taught(range(len(self._takes)))

    @cached_property
    def _holding(self) -> float:
        """The least log odds by which digits are held back, so that the guard's words give no more than before."""
        hidden = self._hidden(guard.read(guard.ASKED_WORDS))
        most = {mode: GUARD_MARGIN * self._decoded(hidden, self._shipped, mode) for mode in MODES}
        for log_odds in HELD_BACK:
            weights = enrolment.held_back(self._all_taught, log_odds)
            if all(self._decoded(hidden, weights, mode) <= most[mode] for mode in MODES):
                break
        return log_odds

    def _decoded(self, hidden: Hidden, weights: Weights, mode: Mode) -> int:
        """How many digits the daemon's decoder makes of a stream."""
        manifest = self._bundle.manifest
        decoder = StreamDecoder(manifest.labels, manifest.thresholds.of(mode), manifest.decoding, manifest.kind)
        answers = enrolment.posteriors(hidden, weights)
        return sum(decoder.push(answer, (n + 1) * self._output_s)[1] for n, answer in enumerate(answers))

    @property
    def enrolled(self) -> Enrolled:
        """What makes the bundle of this person."""
        return Enrolled(self._layer, self.weights)

    @cached_property
    def _spoken(self) -> list[Spoken]:
        return [self._as_spoken(take) for take in self._takes]

    @cached_property
    def _lessons(self) -> list[list[Lesson]]:
        """Of each take, those of its variants, which together weigh as much as one."""
        variants = [_variants(take) for take in self._takes]
        whole, n = self._settings, len(SPEEDS) + len(NOISES_DB)
        settings = replace(whole, digit_weight=whole.digit_weight / n, room_weight=whole.room_weight / n)
        return [
            [enrolment.lesson_of(self._as_spoken(v), self._shipped, self._output_s, settings) for v in each]
            for each in variants
        ]

    @property
    def _output_s(self) -> float:
        spec = self._spotter.spec
        return spec.frames_per_output * spec.hop_samples / spec.sample_rate_hz

    def _taught(self, numbers: Sequence[int]) -> Weights:
        return enrolment.taught(
            [self._guarded, *(lesson for n in numbers for lesson in self._lessons[n])], self._shipped, self._settings
        )

    def _as_spoken(self, take: Take) -> Spoken:
        rate_hz = self._spotter.spec.sample_rate_hz
        chunks = _chunks(take, rate_hz)
        front_end = FrontEnd(rate_hz, self._config.segmenter)
        utterances = [*(u for chunk in chunks for u in front_end.push(chunk)), *front_end.finish()]
        samples = np.concatenate([chunk.samples for chunk in chunks])
        longest = max(utterances, key=lambda u: u.end_sample - u.start_sample, default=None)
        start_s, end_s = (
            (0.0, len(samples) / rate_hz)
            if longest is None
            else (
                longest.start_sample / rate_hz,
                longest.end_sample / rate_hz,
            )
        )
        return Spoken(self._labels.index(take.label), self._hidden(samples), start_s, end_s)

    def _hidden(self, samples: Samples) -> Hidden:
        """What the last layer is shown of a stream."""
        spec, graph = self._spotter.spec, self._bundle.manifest.graph
        frames, state = MelStream(spec).push(samples), self._spotter.silence()
        whole = len(frames) // spec.frames_per_output * spec.frames_per_output
        step, found = STEP_OUTPUTS * spec.frames_per_output, []
        for begin in range(0, whole, step):
            feeds = {graph.input: frames[np.newaxis, begin : min(begin + step, whole)], STATE: state}
            hidden, state = self._session.run([self._layer.hidden, NEXT_STATE], feeds)
            found.append(hidden[0])
        return np.concatenate(found)

    def _clearness(self, number: int, weights: Weights) -> float:
        """The most that a prompt's digit reaches, as the decoder smooths it, less the most that another does."""
        spoken = self._spoken[number]
        shares = enrolment.posteriors(spoken.hidden, weights)[:, :-1].astype(np.float64)
        smoothed = self._bundle.manifest.decoding.smoothed_outputs
        means = np.stack([np.convolve(column, np.ones(smoothed) / smoothed, "valid") for column in shares.T], axis=1)
        best = means.max(axis=0)
        return float(best[spoken.label] - np.delete(best, spoken.label).max())

    def _staged(self, weights: Weights) -> Spotter:
        with tempfile.TemporaryDirectory(dir=self._folder) as name:
            manifest = self._bundle.manifest
            network = stage(
                Path(name), self._bundle, manifest.name, manifest.thresholds, Enrolled(self._layer, weights)
            )
        assert isinstance(network, Spotter)  # noqa: S101 - its manifest has a table `stream`
        return network

    def _hear(self, weights: Weights, takes: Sequence[Take], mode: Mode) -> list[Heard]:
        return hear(self._staged(weights), takes, mode, self._config)

    def _guard_digits(self, spotter: Spotter) -> dict[Mode, int]:
        words = guard.read(guard.ASKED_WORDS)
        return {mode: len(digits_of(spotter, words, guard.RATE_HZ, mode, self._config)) for mode in MODES}


def folds(of_takes: Sequence[str], labels: Sequence[str]) -> list[int]:
    """In which fold each take is held back: no fold holds back two takes of one digit."""
    seen: dict[str, int] = {}
    found = []
    for label in of_takes:
        number = seen[label] = seen.get(label, -1) + 1
        found.append((labels.index(label) + STRIDE * number) % N_FOLDS)
    return found


def _variants(take: Take) -> list[Take]:
    """The take at SPEEDS and in NOISES_DB."""
    speeds = [
        replace(take, samples=np.asarray(soxr.resample(take.samples, take.rate_hz, take.rate_hz / s), np.float32))
        for s in SPEEDS
        if s != 1.0
    ]
    loudest = float(np.sort(np.abs(take.samples))[-max(1, take.rate_hz // 10)])  # a tenth of a second is louder
    noise = np.random.default_rng(len(take.samples)).standard_normal(len(take.samples)) * loudest
    noisy = [
        replace(take, samples=(take.samples + noise * 10 ** (-below_db / 20)).astype(np.float32))
        for below_db in NOISES_DB
    ]
    return [take, *speeds, *noisy]


def _chunks(take: Take, rate_hz: int) -> list[Chunk]:
    intake = Intake(take.rate_hz, rate_hz)
    return [*intake.push(Block(take.samples[:, np.newaxis])), *intake.finish()]

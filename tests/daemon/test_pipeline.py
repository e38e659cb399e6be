"""From blocks to event bodies: any chunking, rate and number of channels."""

from dataclasses import replace
from typing import cast

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import DEMO_DIGITS

from digitd.daemon.audio import Block, Samples
from digitd.daemon.errors import AudioError
from digitd.daemon.events import Body, Digit, End, SourceState, String
from digitd.daemon.pipeline import Pipeline, PipelineConfig
from digitd.daemon.recogniser import Recogniser
from digitd.daemon.utterance_listener import UtteranceListener

RATE_HZ = 16000


def hear(recogniser: Recogniser, frames: Samples, rate_hz: int = RATE_HZ, cuts: tuple[int, ...] = ()) -> list[Body]:
    """Bodies of float32 [n_frames, n_channels], handed over in the pieces that `cuts` make."""
    pipeline = Pipeline(recogniser, "entry", rate_hz, PipelineConfig())
    bodies: list[Body] = []
    for piece in np.split(frames, sorted(cuts)):
        bodies += pipeline.push(Block(piece))
    return [*bodies, *pipeline.finish()]


def digits(bodies: list[Body]) -> str:
    return "".join(body.digit for body in bodies if isinstance(body, Digit))


def test_the_demo_is_heard(recogniser: Recogniser, demo: Samples) -> None:
    bodies = hear(recogniser, demo[:, np.newaxis])
    assert digits(bodies) == DEMO_DIGITS
    assert [body.digits for body in bodies if isinstance(body, String)] == [DEMO_DIGITS]
    assert bodies[-1] == End(len(demo) / RATE_HZ)


def test_a_digit_is_out_within_a_quarter_of_a_second_of_its_end(recogniser: Recogniser, demo: Samples) -> None:
    for body in hear(recogniser, demo[:, np.newaxis]):
        if isinstance(body, Digit):
            assert 0.2 <= body.emitted_s - body.end_s <= 0.25


@settings(deadline=None, max_examples=25)
@given(cuts=st.lists(st.integers(0, 90000), max_size=12).map(tuple))
def test_any_chunking_gives_the_same_bodies(recogniser: Recogniser, demo: Samples, cuts: tuple[int, ...]) -> None:
    frames = demo[:, np.newaxis]
    assert hear(recogniser, frames, cuts=cuts) == hear(recogniser, frames)


def test_one_sample_at_a_time_gives_the_same_bodies(recogniser: Recogniser, demo: Samples) -> None:
    frames = demo[:24000, np.newaxis]
    assert hear(recogniser, frames, cuts=tuple(range(24000))) == hear(recogniser, frames)


@pytest.mark.parametrize("rate_hz", [11025, 22050, 44100, 48000, 96000])
def test_any_rate_in_stereo_gives_the_same_digits(recogniser: Recogniser, demo: Samples, rate_hz: int) -> None:
    resampled = soxr.resample(demo, RATE_HZ, rate_hz)
    assert digits(hear(recogniser, np.stack([resampled, resampled], axis=1), rate_hz)) == DEMO_DIGITS


def test_a_word_cut_by_the_end_of_the_stream_is_decided(recogniser: Recogniser, demo: Samples) -> None:
    first = next(body for body in hear(recogniser, demo[:, np.newaxis]) if isinstance(body, Digit))
    cut = demo[: int(first.end_s * RATE_HZ) + 160, np.newaxis]
    assert digits(hear(recogniser, cut)) == first.digit


def test_a_gap_is_told(recogniser: Recogniser, demo: Samples) -> None:
    pipeline = Pipeline(recogniser, "entry", RATE_HZ, PipelineConfig())
    quiet = np.zeros((4000, 1), np.float32)
    bodies = [*pipeline.push(Block(quiet)), *pipeline.push(Block(demo[:, np.newaxis], 32000)), *pipeline.finish()]
    assert bodies[0] == SourceState("overrun", 2.0, 2.25)


def test_a_word_before_a_gap_is_told_before_the_gap(recogniser: Recogniser, demo: Samples) -> None:
    first = next(body for body in hear(recogniser, demo[:, np.newaxis]) if isinstance(body, Digit))
    cut = int(first.end_s * RATE_HZ) + 160
    pipeline = Pipeline(recogniser, "entry", RATE_HZ, PipelineConfig())
    bodies = [*pipeline.push(Block(demo[:cut, np.newaxis])), *pipeline.push(Block(demo[:16000, np.newaxis], 160000))]
    assert isinstance(bodies[0], Digit)
    assert bodies[0].emitted_s <= cut / RATE_HZ
    assert isinstance(bodies[1], SourceState)


@settings(deadline=None, max_examples=20)
@given(at=st.integers(0, 90000), cuts=st.lists(st.integers(0, 90000), max_size=6).map(tuple))
def test_damaged_audio_gives_what_was_before_it_in_any_chunking(
    recogniser: Recogniser, demo: Samples, at: int, cuts: tuple[int, ...]
) -> None:
    holed = demo[:, np.newaxis].copy()
    holed[at] = np.nan
    pipeline = Pipeline(recogniser, "entry", RATE_HZ, PipelineConfig())
    bodies: list[Body] = []

    def push_all() -> None:
        for piece in np.split(holed, sorted(cuts)):
            for body in pipeline.push(Block(piece)):
                bodies.append(body)  # noqa: PERF402 - extend would lose what came before the error

    with pytest.raises(AudioError, match="NaN"):
        push_all()
    assert [*bodies, *pipeline.finish()] == hear(recogniser, demo[:at, np.newaxis])


def test_what_comes_after_a_gap_is_moved(recogniser: Recogniser, demo: Samples) -> None:
    whole = hear(recogniser, demo[:, np.newaxis])
    pipeline = Pipeline(recogniser, "entry", RATE_HZ, PipelineConfig())
    quiet = np.zeros((4000, 1), np.float32)
    bodies = [*pipeline.push(Block(quiet)), *pipeline.push(Block(demo[:, np.newaxis], 32000)), *pipeline.finish()]
    late = [body for body in bodies if isinstance(body, Digit)]
    early = [body for body in whole if isinstance(body, Digit)]
    assert [(d.digit, round(d.start_s - 2.25, 6)) for d in late] == [(d.digit, d.start_s) for d in early]


def test_memory_of_an_endless_word_is_bounded(recogniser: Recogniser, demo: Samples) -> None:
    loudest = int(np.abs(demo).argmax())
    vowel = np.tile(demo[loudest - 800 : loudest + 800], 600)[:, np.newaxis]  # a minute without a pause
    pipeline = Pipeline(recogniser, "entry", RATE_HZ, PipelineConfig())
    held = []
    for piece in np.array_split(vowel, 500):
        list(pipeline.push(Block(piece)))
        listener = cast(UtteranceListener, pipeline._listener)
        held.append(len(listener._front_end._segmenter._frames))
    assert 250 <= max(held) <= 300 + 30


def test_modes_differ_by_their_threshold(recogniser: Recogniser) -> None:
    thresholds = recogniser.bundle.manifest.thresholds
    assert thresholds.entry < thresholds.always
    assert replace(thresholds, always=0.9).of("always") == 0.9

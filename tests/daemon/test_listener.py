"""Each bundle that hears a stream: the same events however it comes, nothing of nothing, each word once."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.alike import alike
from tests.conftest import DEMO_DIGITS

from digitd import models
from digitd.daemon import bundle
from digitd.daemon.audio import Block, Samples
from digitd.daemon.errors import BundleError
from digitd.daemon.events import Body, Digit, Rejected, SourceState, String
from digitd.daemon.listener import open_network
from digitd.daemon.mode import Mode
from digitd.daemon.pipeline import Pipeline, PipelineConfig
from digitd.daemon.recogniser import Recogniser
from digitd.daemon.spotter import Spotter, SpotterStream
from digitd.daemon.stream_features import MelStream
from digitd.daemon.stream_listener import StreamListener

RATE_HZ = 16000


def heard(spotter: Spotter, blocks: Sequence[Block], mode: Mode = "entry") -> list[Body]:
    pipeline = Pipeline(spotter, mode, RATE_HZ, PipelineConfig())
    bodies = [body for block in blocks for body in pipeline.push(block)]
    return [*bodies, *pipeline.finish()]


def whole(samples: Samples) -> list[Block]:
    return [Block(samples[:, np.newaxis])]


def digits(bodies: Sequence[Body]) -> str:
    return "".join(body.digit for body in bodies if isinstance(body, Digit))


@pytest.mark.parametrize("mode", ["always", "entry"])
def test_the_demo_is_right(spotter: Spotter, demo: Samples, mode: Mode) -> None:
    bodies = heard(spotter, whole(demo), mode)
    assert digits(bodies) == DEMO_DIGITS
    (string,) = (body for body in bodies if isinstance(body, String))
    assert string.digits == DEMO_DIGITS
    # "four" may be doubted; what echoes of a digit that was published is no doubt about the string
    together = math.prod(body.confidence for body in bodies if isinstance(body, Digit))
    assert 0.6 * together < string.confidence <= together + 1e-9


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(1, 40000), max_size=8))
def test_any_chunking_gives_the_same_events(spotter: Spotter, demo: Samples, cuts: list[int]) -> None:
    pieces = [Block(piece[:, np.newaxis]) for piece in np.split(demo, sorted({c % len(demo) for c in cuts}))]
    assert alike(heard(spotter, pieces), heard(spotter, whole(demo)))


def test_what_comes_live_gives_the_events_of_a_file(spotter: Spotter, demo: Samples) -> None:
    live = [Block(demo[n : n + 320, np.newaxis]) for n in range(0, len(demo), 320)]
    assert alike(heard(spotter, live), heard(spotter, whole(demo)))


def test_each_digit_lies_on_its_word_and_comes_soon(spotter: Spotter, demo: Samples) -> None:
    found = [body for body in heard(spotter, whole(demo)) if isinstance(body, Digit)]
    for digit in found:
        assert 0 < digit.end_s - digit.start_s < 1.0
        assert digit.end_s - 0.05 <= digit.emitted_s <= digit.end_s + 0.4
    assert all(later.start_s >= earlier.end_s for earlier, later in itertools.pairwise(found))


@pytest.mark.parametrize("level", [0.0, 1e-4, 0.05])
def test_silence_and_hiss_are_nothing(spotter: Spotter, level: float) -> None:
    hiss = level * np.random.default_rng(0).standard_normal(20 * RATE_HZ).astype(np.float32)
    assert digits(heard(spotter, whole(hiss), "always")) == ""


def test_speech_that_is_no_digit_is_told(spotter: Spotter, demo: Samples) -> None:
    strict = replace(spotter.bundle.manifest.thresholds, always=1.0, entry=1.0)
    shipped = spotter.bundle
    spotter.bundle = replace(shipped, manifest=replace(shipped.manifest, thresholds=strict))
    try:
        bodies = heard(spotter, whole(demo))
    finally:
        spotter.bundle = shipped
    rejected = [body for body in bodies if isinstance(body, Rejected)]
    assert digits(bodies) == ""
    assert "".join(body.guess for body in rejected) == DEMO_DIGITS
    assert all(0 <= body.confidence <= 1 and body.start_s < body.end_s <= body.emitted_s for body in rejected)


def test_a_digit_cut_by_the_end_is_decided(spotter: Spotter, demo: Samples) -> None:
    last = [body for body in heard(spotter, whole(demo)) if isinstance(body, Digit)][-1]
    cut = demo[: int((last.end_s + 0.02) * RATE_HZ)]
    assert digits(heard(spotter, whole(cut))) == DEMO_DIGITS


def test_a_gap_is_a_gap_in_time(spotter: Spotter, demo: Samples) -> None:
    blocks = [*whole(demo), Block(demo[:, np.newaxis], dropped_frames=RATE_HZ)]
    bodies = heard(spotter, blocks)
    assert digits(bodies) == 2 * DEMO_DIGITS
    assert [body.state for body in bodies if isinstance(body, SourceState)] == ["overrun"]
    found = [body for body in bodies if isinstance(body, Digit)]
    shift_s = len(demo) / RATE_HZ + 1
    for early, late in zip(found[: len(DEMO_DIGITS)], found[len(DEMO_DIGITS) :], strict=True):
        assert late.start_s - early.start_s == pytest.approx(shift_s, abs=0.05)


def test_a_mode_counts_from_the_switch_on(spotter: Spotter, demo: Samples) -> None:
    shipped = spotter.bundle
    thresholds = replace(shipped.manifest.thresholds, always=1.0)
    spotter.bundle = replace(shipped, manifest=replace(shipped.manifest, thresholds=thresholds))
    try:
        pipeline = Pipeline(spotter, "always", RATE_HZ, PipelineConfig())
        half = int(2.0 * RATE_HZ)
        first = list(pipeline.push(Block(demo[:half, np.newaxis])))
        pipeline.switch("entry")
        second = [*pipeline.push(Block(demo[half:, np.newaxis])), *pipeline.finish()]
    finally:
        spotter.bundle = shipped
    assert digits(first) == ""
    assert 0 < len(digits(second)) < len(DEMO_DIGITS)
    assert DEMO_DIGITS.endswith(digits(second))


def test_memory_of_an_endless_stream_is_bounded(spotter: Spotter, demo: Samples) -> None:
    pipeline = Pipeline(spotter, "always", RATE_HZ, PipelineConfig())
    listener = pipeline._listener
    assert isinstance(listener, StreamListener)
    held = []
    loudest = int(np.abs(demo).argmax())
    vowel = np.tile(demo[loudest - 800 : loudest + 800], 600)[:, np.newaxis]  # a minute without a pause
    for piece in np.array_split(vowel, 200):
        list(pipeline.push(Block(piece)))
        held.append(len(listener._guesses) + len(listener._utterances))
    assert max(held[100:]) <= max(held[:100]) + 1


def test_steps_of_any_length_answer_the_same(spotter: Spotter, demo: Samples) -> None:
    frames = MelStream(spotter.spec).push(demo)
    frames = frames[: len(frames) // 4 * 4]
    (at_once,), _ = spotter.step(frames[np.newaxis], spotter.silence())
    stream = SpotterStream(spotter)
    pieces = [stream.push(frames[begin : begin + 7]) for begin in range(0, len(frames), 7)]
    np.testing.assert_allclose(np.concatenate(pieces), at_once, atol=1e-5)


def test_a_bundle_decides_how_it_listens() -> None:
    assert isinstance(open_network(bundle.load("study64"), "cpu"), Recogniser)
    assert isinstance(open_network(bundle.load(models.DEFAULT_MODEL), "cpu"), Spotter)
    with pytest.raises(BundleError, match="no bundle 'nobody'"):
        open_network(bundle.load("nobody"), "cpu")


def test_a_string_is_told_in_time_though_a_pause_is_heard_in_larger_pieces(spotter: Spotter, demo: Samples) -> None:
    end_silence_s = PipelineConfig().string.end_silence_ms / 1000
    bodies = heard(spotter, whole(np.concatenate([demo, np.zeros(2 * RATE_HZ, np.float32)])))
    for string in (body for body in bodies if isinstance(body, String)):
        assert end_silence_s <= string.emitted_s - string.end_s <= end_silence_s + 0.08


def test_the_network_is_called_less_often_where_no_digit_can_end(spotter: Spotter, demo: Samples) -> None:
    pause = np.random.default_rng(0).normal(0, 1e-4, 5 * RATE_HZ).astype(np.float32)
    calls = []
    for samples in (pause, demo):
        before = spotter.session.runs
        heard(spotter, [Block(piece[:, np.newaxis]) for piece in np.split(samples, range(640, len(samples), 640))])
        calls.append((spotter.session.runs - before) * RATE_HZ / len(samples))
    assert calls[0] < 6
    assert 6 < calls[1] < 15

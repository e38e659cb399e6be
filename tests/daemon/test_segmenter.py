"""Frames -> utterances: a state machine, driven by scripted frames."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digitd.daemon.segmenter import Segmenter, SegmenterConfig, Utterance
from digitd.daemon.vad import Frame

FRAME_SAMPLES = 160
LOUD, QUIET = -20.0, -70.0


def frame(number: int, *, speech: bool, level_dbfs: float | None = None, after_gap: bool = False) -> Frame:
    level = level_dbfs if level_dbfs is not None else LOUD if speech else QUIET
    return Frame(np.full(FRAME_SAMPLES, number, np.float32), number * FRAME_SAMPLES, speech, level, after_gap)


def script(text: str) -> list[Frame]:
    """`#` speech, `.` silence, `~` what WebRTC still calls speech although it is silent, `|` a gap of 100 frames."""
    frames, number, after_gap = [], 0, False
    for sign in text:
        if sign == "|":
            number, after_gap = number + 100, True
            continue
        frames.append(frame(number, speech=sign != ".", level_dbfs=QUIET if sign == "~" else None, after_gap=after_gap))
        number, after_gap = number + 1, False
    return frames


def segment(frames: list[Frame], config: SegmenterConfig | None = None) -> list[Utterance]:
    segmenter = Segmenter(config or SegmenterConfig())
    return [u for f in frames for u in segmenter.push(f)] + list(segmenter.finish())


def spans(utterances: list[Utterance]) -> list[tuple[int, int]]:
    return [(u.start_sample // FRAME_SAMPLES, u.end_sample // FRAME_SAMPLES) for u in utterances]


def test_a_word_between_silences() -> None:
    (utterance,) = segment(script("." * 30 + "#" * 40 + "." * 30))
    assert spans([utterance]) == [(30, 70)]
    kept = utterance.samples[::FRAME_SAMPLES]
    assert (kept[0], kept[-1]) == (20, 79)  # 100 ms of pre-roll and of post-roll


@pytest.mark.parametrize(("speech_ms", "passes"), [(40, False), (50, False), (60, True), (100, True)])
def test_speech_of_60_ms_passes(speech_ms: int, passes: bool) -> None:
    found = segment(script("." * 30 + "#" * (speech_ms // 10) + "." * 30))
    assert len(found) == passes


def test_a_closure_within_a_word_does_not_split_it() -> None:
    assert spans(segment(script("." * 30 + "#" * 20 + "." * 15 + "#" * 10 + "." * 30))) == [(30, 75)]


def test_a_pause_of_the_hangover_splits() -> None:
    assert spans(segment(script("." * 30 + "#" * 20 + "." * 20 + "#" * 10 + "." * 30))) == [(30, 50), (70, 80)]


def test_webrtcs_own_hangover_is_no_speech_and_opens_no_utterance() -> None:
    segmenter = Segmenter(SegmenterConfig())
    closing = [f.start_sample // FRAME_SAMPLES for f in script("#" * 30 + "~" * 50) if list(segmenter.push(f))]
    assert closing == [49]  # 20 frames after the last speech, not after the last `~`
    assert segmenter.quiet_until_sample == 80 * FRAME_SAMPLES


def test_quiet_lasts_until_what_may_become_an_utterance() -> None:
    segmenter = Segmenter(SegmenterConfig(onset_ms=30))
    until = []
    for f in script("...##.###..."):
        list(segmenter.push(f))
        until.append(segmenter.quiet_until_sample // FRAME_SAMPLES)
    assert until == [1, 2, 3, 3, 3, 6, 6, 6, 6, 6, 6, 6]


@pytest.mark.parametrize(("level_dbfs", "passes"), [(-61.0, False), (-59.0, True)])
def test_a_change_of_the_hiss_is_no_speech(level_dbfs: float, passes: bool) -> None:
    frames = script("." * 20) + [frame(n, speech=True, level_dbfs=level_dbfs) for n in range(20, 40)]
    assert len(segment(frames)) == passes


def test_a_quiet_word_after_a_loud_one_is_heard() -> None:
    frames = script("#" * 30 + "." * 40) + [frame(n, speech=True, level_dbfs=-60) for n in range(70, 90)]
    assert spans(segment(frames)) == [(0, 30), (70, 90)]


def test_a_bang_does_not_deafen() -> None:
    bang = [frame(n, speech=True, level_dbfs=-3) for n in range(10)]
    gap = [frame(n, speech=True, level_dbfs=-70) for n in range(10, 60)]
    word = [frame(n, speech=True, level_dbfs=-40) for n in range(60, 90)]
    assert spans(segment(bang + gap + word))[-1][1] == 90


def test_speech_without_a_pause_is_cut() -> None:
    found = segment(script("#" * 1000))
    assert [u.end_sample - u.start_sample for u in found[:3]] == [300 * FRAME_SAMPLES] * 3
    assert sum(u.end_sample - u.start_sample for u in found) == 1000 * FRAME_SAMPLES


def test_a_gap_ends_the_utterance_and_is_never_glued() -> None:
    found = segment(script("." * 20 + "#" * 20 + "|" + "#" * 20 + "." * 40))
    assert spans(found) == [(20, 40), (140, 160)]
    assert found[1].samples[0] == 140  # no pre-roll from before the gap


def test_a_word_cut_by_the_end_is_not_lost() -> None:
    assert spans(segment(script("." * 20 + "#" * 20))) == [(20, 40)]


@given(st.lists(st.sampled_from("#.~|"), max_size=400).map("".join), st.booleans())
def test_utterances_are_in_order_apart_and_bounded(text: str, short: bool) -> None:
    config = SegmenterConfig(max_utterance_ms=500, pre_roll_ms=0 if short else 100)
    found = segment(script(text), config)
    for utterance in found:
        length = (utterance.end_sample - utterance.start_sample) // FRAME_SAMPLES
        assert config.min_speech_ms // 10 <= length <= config.max_utterance_ms // 10
        assert len(utterance.samples) <= (500 + 200) * 16
        numbers = utterance.samples[::FRAME_SAMPLES]
        np.testing.assert_array_equal(np.diff(numbers), 1)  # one unbroken stretch
    for before, after in pairwise(found):
        assert before.end_sample <= after.start_sample

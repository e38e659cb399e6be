"""Chunks -> frames with WebRTC's decision and their level."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digitd.daemon.audio import Chunk, Samples
from digitd.daemon.vad import SILENCE_DBFS, Frame, FrameVad, levels_dbfs

RATE_HZ = 16000


def frames(samples: Samples, cuts: list[int]) -> list[Frame]:
    vad, position = FrameVad(RATE_HZ, 1), 0
    found: list[Frame] = []
    for piece in np.split(samples, sorted(cuts)):
        found += vad.push(Chunk(piece, position, (position + len(piece)) / RATE_HZ))
        position += len(piece)
    return [*found, *vad.finish()]


@settings(deadline=None, max_examples=30)
@given(cuts=st.lists(st.integers(0, 16000), max_size=10))
def test_any_chunking_gives_the_same_frames(demo: Samples, cuts: list[int]) -> None:
    whole, cut = frames(demo[:16000], []), frames(demo[:16000], cuts)
    assert [(f.start_sample, f.speech, f.level_dbfs) for f in whole] == [
        (f.start_sample, f.speech, f.level_dbfs) for f in cut
    ]


def test_speech_is_told_from_silence(demo: Samples) -> None:
    found = frames(demo, [])
    loud = [f.speech for f in found if f.level_dbfs > -30]
    silent = [f.speech for f in frames(np.zeros(RATE_HZ, np.float32), [])]
    assert np.mean(loud) > 0.95
    assert not any(silent)


def test_level_is_against_full_scale() -> None:
    sine = np.sin(2 * np.pi * 100 * np.arange(160) / RATE_HZ).astype(np.float32)
    frames = np.stack([sine, sine * np.float32(0.1), np.zeros_like(sine)])
    assert levels_dbfs(frames) == pytest.approx([-3.01, -23.01, SILENCE_DBFS], abs=0.01)


def test_a_gap_starts_a_new_frame() -> None:
    vad = FrameVad(RATE_HZ, 1)
    piece = np.zeros(250, np.float32)
    before = [*vad.push(Chunk(piece, 0, 0.02)), *vad.push(Chunk(piece, 5000, 0.4, dropped_s=0.3, gap="overrun"))]
    assert [(f.start_sample, f.after_gap) for f in before] == [(0, False)]
    assert [(f.start_sample, f.after_gap) for f in vad.finish()] == [(5000, True)]


@pytest.mark.parametrize("hiss_dbfs", [-90, -80, -70, -60, -50])
def test_the_beginning_of_a_stream_is_no_speech(hiss_dbfs: float) -> None:
    hiss = 10 ** (hiss_dbfs / 20) * np.random.default_rng(0).standard_normal(RATE_HZ)
    assert not any(f.speech for f in frames(hiss.astype(np.float32), []))


def test_a_word_at_the_very_beginning_is_speech(demo: Samples) -> None:
    begins_with_a_word = demo[int(0.57 * RATE_HZ) :]
    assert all(f.speech for f in frames(begins_with_a_word, [])[:10])

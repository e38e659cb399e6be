"""The mel frames of a stream: any chunking, any level, silence."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digitd.daemon.audio import Samples
from digitd.daemon.stream_features import MelStream, StreamSpec
from digitd.daemon.word_span import WordSpan

SPEC = StreamSpec()


def frames_of(samples: Samples) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return MelStream(SPEC).push(samples)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 3000), max_size=12))
def test_any_chunking_gives_the_same_frames(demo: Samples, lengths: list[int]) -> None:
    mel, at, found = MelStream(SPEC), 0, []
    for length in [*lengths, len(demo)]:
        found.append(mel.push(demo[at : at + length]))
        at = min(at + length, len(demo))
    np.testing.assert_allclose(np.concatenate(found), frames_of(demo), atol=1e-5)


def test_a_frame_a_hop() -> None:
    assert frames_of(np.zeros(16000, np.float32)).shape == (100, SPEC.n_mels)


def test_silence_is_nothing_and_finite() -> None:
    frames = frames_of(np.zeros(48000, np.float32))
    assert np.abs(frames).max() == 0


def test_loudness_matters_little(demo: Samples) -> None:
    loud, soft = frames_of(demo), frames_of(demo * np.float32(0.1))
    assert np.corrcoef(loud.ravel(), soft.ravel())[0, 1] > 0.9
    assert 0.5 < soft.max() / loud.max() <= 1.01


def test_steady_noise_fades_out() -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(80000).astype(np.float32)
    frames = frames_of(noise)
    assert frames[-100:].mean() < 0.5
    assert abs(frames[200:300].mean() - frames[-100:].mean()) < 0.05


def test_a_band_above_half_the_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="fmax_hz = 5000"):
        StreamSpec(sample_rate_hz=8000, fmax_hz=5000)


def test_a_word_is_found_where_it_was_said() -> None:
    length = np.zeros(16000, np.float32)  # a second
    tone = (0.3 * np.sin(np.arange(8000) * 0.3)).astype(np.float32)
    hiss = 1e-4 * np.random.default_rng(0).standard_normal(40000).astype(np.float32)
    span = WordSpan(SPEC.sample_rate_hz)
    span.push(np.concatenate([length, tone, length]) + hiss)
    start_s, end_s = span.before(1.7)  # 0.2 s after its end
    assert start_s == pytest.approx(1.0, abs=0.06)
    assert end_s == pytest.approx(1.5, abs=0.06)
    assert span.pauses_after(1.7)


def test_a_word_that_another_follows_at_once_ends_where_it_is_softest() -> None:
    words = 0.3 * np.sin(np.arange(32000) * 0.3) * (0.55 + 0.45 * np.cos(np.arange(32000) * 2 * np.pi / 8000))
    span = WordSpan(SPEC.sample_rate_hz)  # a word each half second, softest at 0.25, 0.75, ...
    span.push(words.astype(np.float32))
    _, end_s = span.before(1.9)
    assert end_s == pytest.approx(1.75, abs=0.03)
    assert span.pauses_after(1.9) is None  # not yet known
    span.push(words[16000:24000].astype(np.float32))
    assert span.pauses_after(1.9) is False

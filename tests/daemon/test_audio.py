"""Blocks of any size -> live chunks at the network's rate."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digitd.daemon.audio import LIVE_CHUNK_MS, Block, Chunk, Intake, Samples, from_pcm16
from digitd.daemon.errors import AudioError

RATE_HZ = 16000


def tone(seconds: float, rate_hz: int, frequency_hz: float = 440.0) -> Samples:
    return (0.5 * np.sin(2 * np.pi * frequency_hz * np.arange(int(seconds * rate_hz)) / rate_hz)).astype(np.float32)


def chunks(samples: Samples, rate_hz: int, cuts: list[int]) -> list[Chunk]:
    intake = Intake(rate_hz, RATE_HZ)
    pieces = np.split(samples[:, np.newaxis], sorted(cut for cut in cuts if cut < len(samples)))
    return [chunk for piece in pieces for chunk in intake.push(Block(piece))] + list(intake.finish())


@settings(deadline=None, max_examples=40)
@given(
    rate_hz=st.sampled_from([8000, 11025, 16000, 22050, 44100, 48000]),
    cuts=st.lists(st.integers(0, 30000), max_size=8),
)
def test_any_chunking_gives_the_same_chunks(rate_hz: int, cuts: list[int]) -> None:
    samples = tone(0.5, rate_hz)
    whole, cut = chunks(samples, rate_hz, []), chunks(samples, rate_hz, cuts)
    assert [(c.start_sample, c.taken_in_s) for c in whole] == [(c.start_sample, c.taken_in_s) for c in cut]
    for one, other in zip(whole, cut, strict=True):
        np.testing.assert_array_equal(one.samples, other.samples)


@pytest.mark.parametrize("rate_hz", [8000, 11025, 16000, 22050, 44100, 48000, 96000])
def test_a_tone_stays_that_tone_and_its_length(rate_hz: int) -> None:
    heard = np.concatenate([chunk.samples for chunk in chunks(tone(1.0, rate_hz), rate_hz, [])])
    assert len(heard) == pytest.approx(RATE_HZ, abs=1)
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    assert spectrum.argmax() == pytest.approx(440, abs=1)
    middle = heard[4000:12000]
    assert np.sqrt((middle**2).mean()) == pytest.approx(0.5 / np.sqrt(2), rel=0.01)


@pytest.mark.parametrize("rate_hz", [8000, 11025, 16000, 44100])
def test_time_is_counted_in_live_chunks(rate_hz: int) -> None:
    taken_in = [chunk.taken_in_s for chunk in chunks(tone(1.0, rate_hz), rate_hz, [])]
    wanted = np.arange(1, 51) * LIVE_CHUNK_MS / 1000
    np.testing.assert_allclose(taken_in[:50], wanted, atol=1 / rate_hz)


def test_channels_are_mixed_down() -> None:
    left = tone(0.1, RATE_HZ)
    stereo = np.stack([left, -left], axis=1)
    heard = [chunk.samples for chunk in Intake(RATE_HZ, RATE_HZ).push(Block(stereo))]
    np.testing.assert_allclose(np.concatenate(heard), 0, atol=1e-7)


@pytest.mark.parametrize("rate_hz", [16000, 48000])
def test_a_gap_is_a_gap_in_time(rate_hz: int) -> None:
    intake = Intake(rate_hz, RATE_HZ)
    half_s = tone(0.5, rate_hz)[:, np.newaxis]
    heard = [*intake.push(Block(half_s)), *intake.push(Block(half_s, dropped_frames=rate_hz)), *intake.finish()]
    after = [chunk for chunk in heard if chunk.dropped_s]
    assert [(chunk.dropped_s, chunk.start_sample) for chunk in after] == [(1.0, int(1.5 * RATE_HZ))]
    assert heard[-1].taken_in_s == 2.0
    before = [chunk for chunk in heard if chunk.start_sample < 24000]
    assert sum(len(chunk.samples) for chunk in before) == 0.5 * RATE_HZ


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_no_number_is_refused_with_its_place(bad: float) -> None:
    samples = tone(0.5, RATE_HZ)[:, np.newaxis].copy()
    samples[4000] = bad
    with pytest.raises(AudioError, match=r"a sample at 0\.250 s is NaN or infinite"):
        list(Intake(RATE_HZ, RATE_HZ).push(Block(samples)))


@pytest.mark.parametrize("rate_hz", [0, 1, 999])
def test_a_rate_that_is_none_is_refused(rate_hz: int) -> None:
    with pytest.raises(AudioError, match=f"a rate of {rate_hz} Hz"):
        Intake(rate_hz, RATE_HZ)


def test_pcm16_full_scale() -> None:
    raw = np.array([-32768, 0, 16384, 32767], "<i2").tobytes()
    np.testing.assert_array_equal(from_pcm16(raw, 2), np.array([[-1, 0], [0.5, 32767 / 32768]], np.float32))

"""What is wrong with the sound itself is told once, wherever the stream is cut."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digitd.daemon.audio import Block, Intake, Samples
from digitd.daemon.signal_watch import CLEAR_S, SILENT_S, SignalWatch

RATE_HZ = 8000


def told(samples: Samples, cuts: tuple[int, ...] = (), channels: int = 1) -> list[tuple[str, float]]:
    """State and time of all that is told."""
    intake, watch = Intake(RATE_HZ, 16000), SignalWatch()
    frames = np.repeat(samples[:, np.newaxis], channels, axis=1)
    found: list[tuple[str, float]] = []
    for piece in np.split(frames, sorted(cuts)):
        for chunk in intake.push(Block(piece)):
            found += [(state, round(chunk.taken_in_s, 2)) for state in watch.push(chunk)]
    for chunk in intake.finish():
        found += [(state, round(chunk.taken_in_s, 2)) for state in watch.push(chunk)]
    return found


def noise(seconds: float, level: float = 0.01) -> Samples:
    return (level * np.random.default_rng(1).standard_normal(int(seconds * RATE_HZ))).astype(np.float32)


def zeros(seconds: float) -> Samples:
    return np.zeros(int(seconds * RATE_HZ), np.float32)


def shout(seconds: float) -> Samples:
    return np.clip(noise(seconds, 1.0), -1, 1)


def test_a_dead_input_is_told_and_its_return() -> None:
    samples = np.concatenate([noise(1), zeros(12), noise(1), zeros(9), noise(1)])
    assert told(samples) == [("silent", 1 + SILENT_S), ("back", 13.02)]


def test_an_input_that_is_dead_from_the_start() -> None:
    assert told(zeros(11)) == [("silent", SILENT_S)]


@pytest.mark.parametrize("channels", [1, 2])
def test_clipping_is_told_once_and_its_end(channels: int) -> None:
    samples = np.concatenate([noise(1), shout(0.5), noise(3), shout(0.5), noise(12)])
    assert told(samples, channels=channels) == [("clipping", 1.02), ("back", pytest.approx(5 + 1 + CLEAR_S, abs=0.05))]


def test_a_click_and_a_loud_voice_do_not_clip() -> None:
    click = noise(1)
    click[100:103] = 1
    loud = noise(2)
    loud *= 0.99 / np.abs(loud).max()
    assert told(np.concatenate([click, loud])) == []


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, 30 * RATE_HZ), max_size=8).map(tuple))
def test_any_chunking_tells_the_same(cuts: tuple[int, ...]) -> None:
    samples = np.concatenate([shout(1), zeros(14), noise(1), shout(1), noise(13)])
    assert told(samples, cuts) == told(samples)

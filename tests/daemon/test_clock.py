"""Frames that never came, told by the clock."""

import pytest

from digitd.daemon.sources.clock import GAP_S, FrameClock

RATE_HZ, CHUNK_S = 16000, 0.04
N = int(RATE_HZ * CHUNK_S)


def lost_s(arrivals_s: list[float]) -> list[float]:
    """What is told of each chunk, in seconds."""
    clock = FrameClock(RATE_HZ)
    return [clock.push(N, at_s) / RATE_HZ for at_s in arrivals_s]


def test_a_gap_is_told_once_and_what_follows_is_in_time() -> None:
    told = lost_s([CHUNK_S * n + (1.5 if n >= 50 else 0) for n in range(200)])
    assert told[50] == pytest.approx(1.5, abs=0.01)
    assert sum(told) == told[50]


def test_what_is_only_late_and_comes_in_a_burst_is_no_gap() -> None:
    arrivals_s = [CHUNK_S * n for n in range(200)]
    arrivals_s[50:56] = [arrivals_s[50] + 0.8 * GAP_S] * 6
    assert sum(lost_s(arrivals_s)) == 0


def test_small_losses_add_up_to_a_gap() -> None:
    told = lost_s([CHUNK_S * (n + n // 10) for n in range(200)])  # each tenth chunk is lost
    assert sum(told) == pytest.approx(19 * CHUNK_S, abs=GAP_S + 0.02)


@pytest.mark.parametrize("drift", [-3e-4, 3e-4])
def test_a_sound_card_that_is_slow_or_fast_loses_nothing_in_a_day(drift: float) -> None:
    clock = FrameClock(RATE_HZ)
    assert sum(clock.push(RATE_HZ, n * (1 + drift)) for n in range(86400)) == 0

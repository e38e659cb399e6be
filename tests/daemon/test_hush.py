"""A quiet room may wait, what is louder may not."""

import numpy as np
import pytest

from digitd.daemon.sources.hush import HELD_PIECES, PIECE_MS, Hush

N = 16 * PIECE_MS


def noise(level: float, seed: int = 0) -> list[bytes]:
    """A minute of it."""
    rng = np.random.default_rng(seed)
    return [np.round(rng.normal(0, level, N)).astype("<i2").tobytes() for _ in range(60_000 // PIECE_MS)]


@pytest.mark.parametrize("level", [0.0, 0.3, 3.0, 300.0])
def test_steady_noise_is_handed_over_in_large_pieces(level: float) -> None:
    hush = Hush()
    held = [hush.holds(piece) for piece in noise(level)]
    n_over = held.count(False)
    assert n_over <= 1.1 * len(held) / HELD_PIECES
    longest = max(len(run) for run in "".join("h" if each else " " for each in held).split())
    assert longest == HELD_PIECES - 1  # none waits for longer


def test_what_is_louder_is_handed_over_at_once() -> None:
    hush = Hush()
    for piece in noise(100.0)[:50]:
        hush.holds(piece)
    for level in (300.0, 1000.0, 8000.0):
        assert not hush.holds(noise(level)[0])


def test_a_click_hides_nothing_that_follows() -> None:
    hush = Hush()
    for piece in noise(100.0)[:50]:
        hush.holds(piece)
    click = np.zeros(N, "<i2")
    click[N // 2 : N // 2 + 32] = 30000
    assert not hush.holds(click.tobytes())
    assert hush.holds(noise(100.0)[0])
    assert not hush.holds(noise(400.0)[0])


def test_the_loudest_negative_sample_counts() -> None:
    hush = Hush()
    hush.holds(bytes(2 * N))
    assert not hush.holds(np.full(N, -32768, "<i2").tobytes())

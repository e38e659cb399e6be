"""From posteriors to digits: each once."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digitd.daemon.stream_decoder import Candidate, Decoding, Kind, StreamDecoder

LABELS = ("1", "2", "3")
OUTPUT_S = 0.04
DECODING: dict[Kind, Decoding] = {"isolated": Decoding(), "connected": Decoding(refractory_s=0.16, follow_share=0.7)}
KINDS = pytest.mark.parametrize("kind", DECODING)


def decoded(tops: list[tuple[int, float]], threshold: float, kind: Kind = "isolated") -> list[Candidate]:
    """The digits of outputs whose likeliest label and posterior are given; the rest is no digit."""
    decoder, found = StreamDecoder(LABELS, threshold, DECODING[kind], kind), []
    for number, (label, share) in enumerate(tops, start=1):
        posteriors = np.zeros(len(LABELS) + 1, np.float32)
        posteriors[label], posteriors[-1] = share, 1 - share
        candidate, accepted = decoder.push(posteriors, number * OUTPUT_S)
        if accepted:
            found.append(candidate)
    return found


def word(label: int, n_outputs: int = 6) -> list[tuple[int, float]]:
    return [(label, 0.95)] * n_outputs


SILENCE = [(0, 0.0)] * 8


def test_a_word_comes_once_as_soon_as_it_is_sure() -> None:
    found = decoded([*SILENCE, *word(1), *SILENCE], 0.6)
    assert [(c.label, round(c.at_s / OUTPUT_S)) for c in found] == [("2", len(SILENCE) + 2)]


def test_a_lone_output_is_a_chance() -> None:
    assert decoded([*SILENCE, (1, 1.0), *SILENCE], 0.5) == []


@KINDS
def test_a_word_that_is_told_of_for_long_comes_once(kind: Kind) -> None:
    assert len(decoded(word(2, 100), 0.5, kind)) == 1


@KINDS
def test_the_same_digit_twice_comes_twice(kind: Kind) -> None:
    found = decoded([*word(0), *SILENCE, *word(0), *SILENCE, *word(2)], 0.5, kind)
    assert [c.label for c in found] == ["1", "1", "3"]


@pytest.mark.parametrize(("kind", "digits"), [("isolated", "1"), ("connected", "123")])
def test_digits_without_a_pause_are_heard_where_they_are_connected(kind: Kind, digits: str) -> None:
    found = decoded([*word(0), *word(1), *word(2)], 0.5, kind)
    assert "".join(c.label for c in found) == digits


def test_the_same_digit_without_a_pause_comes_again_where_it_falls_to_a_third() -> None:
    twice = [*word(0, 4), (0, 0.6), (0, 0.3), (0, 0.6), *word(0, 4)]
    assert [c.label for c in decoded(twice, 0.5, "connected")] == ["1", "1"]
    once = [*word(0, 4), (0, 0.6), *word(0, 4)]
    assert [c.label for c in decoded(once, 0.5, "connected")] == ["1"]


@KINDS
def test_what_the_network_still_tells_of_the_last_digit_is_its_echo_until_it_rises_again(kind: Kind) -> None:
    decoder, new = StreamDecoder(LABELS, 0.8, DECODING[kind], kind), []
    fading, again = [0.6, 0.45, 0.35, 0.3, 0.3, 0.3], [0.45, 0.55, 0.6]
    for number, share in enumerate([0.95] * 6 + fading + again):
        candidate, _ = decoder.push(np.array([share, 0, 0, 1 - share], np.float32), number * OUTPUT_S)
        new.append(decoder.is_new(candidate))
    assert not any(new[6:12])
    assert new[-1]


def test_less_is_enough_where_a_digit_has_just_been() -> None:
    weak = [(1, 0.6)] * 5
    assert [c.label for c in decoded([*SILENCE, *weak, *SILENCE], 0.7, "connected")] == []
    assert [c.label for c in decoded([*word(0), *SILENCE, *weak, *SILENCE], 0.7, "connected")] == ["1", "2"]
    assert [c.label for c in decoded([*word(0), *SILENCE * 5, *weak, *SILENCE], 0.7, "connected")] == ["1"]


def test_a_new_threshold_holds_at_once() -> None:
    decoder = StreamDecoder(LABELS, 0.99, Decoding(), "isolated")
    posteriors = np.array([0.7, 0, 0, 0.3], np.float32)
    heard = [decoder.push(posteriors, n * OUTPUT_S)[1] for n in range(1, 10)]
    decoder.threshold = 0.6
    assert [*heard, decoder.push(posteriors, 0.5)[1]] == [False] * 9 + [True]


OUTPUTS = st.lists(st.tuples(st.integers(0, 2), st.floats(0, 1)), max_size=120)


@given(OUTPUTS, st.floats(0.05, 0.99), st.sampled_from(list(DECODING)))
def test_digits_are_sure_and_apart(tops: list[tuple[int, float]], threshold: float, kind: Kind) -> None:
    found = decoded(tops, threshold, kind)
    least = threshold * DECODING[kind].follow_share
    assert all(c.confidence >= least for c in found)
    assert all(b.at_s - a.at_s >= DECODING[kind].refractory_s - 1e-9 for a, b in pairwise(found))


@KINDS
@given(
    threshold=st.floats(0.05, 0.99),
    outputs=st.lists(st.lists(st.integers(0, 10), min_size=4, max_size=4), max_size=40),
)
def test_nothing_is_published_sooner_than_it_says(kind: Kind, threshold: float, outputs: list[list[int]]) -> None:
    decoder, soonest = StreamDecoder(LABELS, threshold, DECODING[kind], kind), 1
    for number, weights in enumerate(outputs, start=1):
        posteriors = (np.array(weights) / max(1, sum(weights))).astype(np.float32)
        _, accepted = decoder.push(posteriors, number * OUTPUT_S)
        assert not accepted or number >= soonest
        soonest = number + decoder.soonest_outputs


@KINDS
def test_a_sure_digit_is_published_when_it_says(kind: Kind) -> None:
    decoder = StreamDecoder(LABELS, 0.6, DECODING[kind], kind)
    soonest, sure = decoder.soonest_outputs, np.array([1, 0, 0, 0], np.float32)
    accepted = [decoder.push(sure, number * OUTPUT_S)[1] for number in range(1, soonest + 1)]
    assert accepted == [False] * (soonest - 1) + [True]
    assert decoder.deaf_until_s == pytest.approx(soonest * OUTPUT_S + DECODING[kind].refractory_s)

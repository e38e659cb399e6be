"""Strings put together of spoken digits, through the connected bundle; and how they are counted."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from digitd.daemon import bundle
from digitd.daemon.events import Digit
from digitd.daemon.spotter import Spotter
from digitd.trainer import corpora
from digitd.trainer.compose import Stream
from digitd.trainer.field_test import FieldTest
from digitd.trainer.scores import Word
from digitd.trainer.string_test import LENGTHS, PER_LENGTH, Strings, composed, summary

pytestmark = pytest.mark.train
RATE_HZ = 16000
LABELS = tuple("0123456789")


@pytest.fixture(scope="module")
def strings(spoken_digits: Path) -> Strings:
    found = composed(corpora.read("fsdd", spoken_digits), LABELS, RATE_HZ)
    assert found is not None
    return found


def test_strings_of_all_lengths_are_put_together(strings: Strings) -> None:
    assert [len(string) for string in strings.strings] == [n for n in LENGTHS for _ in range(PER_LENGTH)]
    for words in strings.strings:
        assert len({word.speaker for word in words}) == 1
        assert all(a.end_s <= b.end_s for a, b in pairwise(words))
        loud = strings.stream.samples[int(words[0].start_s * RATE_HZ) : int(words[-1].end_s * RATE_HZ)]
        assert np.abs(loud).max() > 0.05


def test_digits_end_where_their_words_end(strings: Strings) -> None:
    spotter = Spotter(bundle.load("connected"), "cpu")
    found = summary(strings, FieldTest(spotter).digits(strings.stream, "entry"))
    assert found["end_off_s"] <= 0.08
    assert found["digit_error_rate"] < 0.25  # synthetic voices, run together
    assert found["latency_s"]["p50"] <= 0.2


def test_errors_are_told_apart() -> None:
    def word(label: str, at_s: float) -> Word:
        return Word(label, "s", at_s, at_s + 0.3)

    def digit(label: str, at_s: float) -> Digit:
        return Digit(label, 0.9, at_s, at_s + 0.3, at_s + 0.4)

    said = ((word("1", 1.0), word("2", 1.5), word("3", 2.0)), (word("4", 5.0), word("5", 5.5)))
    heard = [digit("1", 1.0), digit("7", 1.5), digit("3", 2.0), digit("4", 5.0), digit("9", 9.0)]
    found = summary(Strings(Stream(np.zeros(160000, np.float32), RATE_HZ, ()), said), heard)
    assert (found["substitutions"], found["deletions"], found["insertions"]) == (1, 1, 1)
    assert found["strings"]["right"] == 0
    assert found["digit_error_rate"] == 0.6
    assert found["latency_s"]["p50"] == pytest.approx(0.1)
    assert found["end_off_s"] == pytest.approx(0.0)

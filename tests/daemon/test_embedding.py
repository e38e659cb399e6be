"""Digits inside other speech."""

from collections.abc import Iterator

from digitd.daemon.embedding import EmbeddingGate
from digitd.daemon.events import Digit


def digit(label: str, end_s: float) -> Digit:
    return Digit(label, 0.9, end_s - 0.3, end_s, end_s + 0.1)


def labels(digits: Iterator[Digit]) -> str:
    return "".join(each.digit for each in digits)


def never(_end_s: float) -> bool:
    return False


def always(_end_s: float) -> bool:
    return True


def test_a_digit_after_a_pause_passes_at_once() -> None:
    assert labels(EmbeddingGate().admit(digit("1", 1.0), glued=False)) == "1"


def test_a_digit_glued_on_both_sides_is_none() -> None:
    gate = EmbeddingGate()
    assert labels(gate.admit(digit("1", 1.0), glued=True)) == ""
    assert labels(gate.advance(1.2, never)) == ""
    assert labels(gate.advance(3.0, never)) == ""
    assert labels(gate.advance(3.1, always)) == ""  # too late
    assert labels(gate.finish()) == ""


def test_a_pause_after_it_lets_a_digit_pass() -> None:
    gate = EmbeddingGate()
    assert labels(gate.admit(digit("1", 1.0), glued=True)) == ""
    assert labels(gate.advance(1.2, always)) == "1"
    assert labels(gate.advance(1.3, always)) == ""


def test_another_digit_after_it_lets_a_digit_pass() -> None:
    gate = EmbeddingGate()
    assert labels(gate.admit(digit("5", 1.0), glued=True)) == ""
    assert labels(gate.admit(digit("6", 1.5), glued=True)) == "56"
    assert labels(gate.admit(digit("7", 2.0), glued=True)) == "7"  # a digit is before it


def test_a_digit_long_after_another_stands_alone() -> None:
    gate = EmbeddingGate()
    assert labels(gate.admit(digit("5", 1.0), glued=False)) == "5"
    assert labels(gate.admit(digit("6", 4.0), glued=True)) == ""
    assert labels(gate.admit(digit("7", 8.0), glued=True)) == ""
    assert labels(gate.finish()) == "7"  # the end of a stream is a pause

"""Digits inside other speech."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.conftest import VOICES

from digitd.daemon.embedding import NEIGHBOUR_S, EmbeddingGate, Found
from digitd.daemon.events import Digit


def found(label: str, end_s: float, *, strong: bool = True, sure: bool = False) -> Found:
    return Found(Digit(label, 0.9, end_s - 0.3, end_s, end_s + 0.1), end_s + 0.1, strong, sure)


def labels(digits: Iterator[Digit]) -> str:
    return "".join(each.digit for each in digits)


def goes_on(_at_s: float) -> bool:
    return False


def pauses(_at_s: float) -> bool:
    return True


def test_a_sure_digit_counts_at_once() -> None:
    assert labels(EmbeddingGate().admit(found("1", 1.0, sure=True))) == "1"


def test_a_digit_before_a_pause_counts() -> None:
    gate = EmbeddingGate()
    assert labels(gate.admit(found("1", 1.0))) == ""
    assert labels(gate.advance(1.1, lambda _at_s: None)) == ""
    assert labels(gate.advance(1.2, pauses)) == "1"
    assert labels(gate.advance(1.3, pauses)) == ""


def test_a_digit_that_other_words_follow_is_none() -> None:
    gate = EmbeddingGate()
    assert labels(gate.admit(found("1", 1.0))) == ""
    for heard_s in (1.2, 1.6, 3.0):
        assert labels(gate.advance(heard_s, goes_on)) == ""
    assert labels(gate.advance(3.1, pauses)) == ""  # too late
    assert labels(gate.finish()) == ""


def test_a_digit_that_becomes_sure_counts() -> None:
    gate = EmbeddingGate()
    assert labels(gate.admit(found("1", 1.0))) == ""
    assert labels(gate.reassure("2")) == ""
    assert labels(gate.reassure("1")) == "1"
    assert labels(gate.reassure("1")) == ""


def test_two_strong_digits_vouch_for_each_other() -> None:
    gate = EmbeddingGate()
    assert labels(gate.admit(found("5", 1.0))) == ""
    assert labels(gate.admit(found("6", 1.5, strong=False))) == ""
    assert labels(gate.admit(found("7", 2.0))) == "567"
    assert labels(gate.admit(found("8", 2.5, strong=False))) == "8"  # within a string, at once


def test_a_digit_long_after_another_stands_alone() -> None:
    gate = EmbeddingGate()
    assert labels(gate.admit(found("5", 1.0))) == ""
    assert labels(gate.finish()) == "5"  # the end of a stream is a pause
    assert labels(gate.admit(found("6", 1.1 + NEIGHBOUR_S))) == ""
    assert labels(gate.admit(found("7", 1.3 + 2 * NEIGHBOUR_S))) == ""  # the six is given up
    assert labels(gate.finish()) == "7"


def test_no_one_knows_types_less_where_other_speech_is_expected(
    digitd: Callable[..., subprocess.CompletedProcess[Any]], tmp_path: Path
) -> None:
    spoken, config = tmp_path / "spoken.wav", tmp_path / "digitd.toml"
    config.write_text('[digit]\nembedded = "reject"\n')
    got_through = {"always": 0, "entry": 0}
    for voice in VOICES:
        subprocess.run(["flite", "-voice", voice, "-t", "no one knows", "-o", str(spoken)], check=True)
        for mode in got_through:
            flags = ["--model", "connected", "--mode", mode, "--config", str(config), "--source", str(spoken)]
            got_through[mode] += digitd("run", *flags).stdout != ""
    assert got_through["entry"] == len(VOICES)  # where nothing but digits is expected, it is one
    assert got_through["always"] <= len(VOICES) // 2

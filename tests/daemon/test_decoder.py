"""Posteriors -> digits, rejections and strings."""

import numpy as np
import pytest

from digitd.daemon.decoder import IsolatedDecoder, StringCollector, StringConfig
from digitd.daemon.events import Digit, Rejected, String

LABELS = ("0", "1", "2")


@pytest.mark.parametrize(("best", "kind"), [(0.7, Digit), (0.6, Digit), (0.59, Rejected)])
def test_the_threshold_parts_digits_from_rejections(best: float, kind: type) -> None:
    posteriors = np.array([0.1, best, 0.9 - best], np.float32)
    posteriors[1] = np.float32(best)
    found = IsolatedDecoder(LABELS, float(np.float32(0.6))).decide(posteriors, 1.0, 1.4, 1.6)
    assert type(found) is kind
    assert (found.start_s, found.end_s, found.emitted_s) == (1.0, 1.4, 1.6)
    assert (found.digit if isinstance(found, Digit) else found.guess) == "1"


def digit(label: str, start_s: float, confidence: float = 0.9) -> Digit:
    return Digit(label, confidence, start_s, start_s + 0.4, start_s + 0.6)


def test_digits_join_until_the_silence_is_long_enough() -> None:
    strings = StringCollector(StringConfig(end_silence_ms=700))
    found = [*strings.add(digit("5", 1.0)), *strings.advance(1.9, 1.92), *strings.add(digit("5", 2.0, 0.5))]
    assert found == []
    assert list(strings.advance(3.0, 3.02)) == []
    assert list(strings.advance(3.1, 3.12)) == [String("55", 0.45, 1.0, 2.4, 3.12)]
    assert list(strings.advance(9.0, 9.0)) == []


def test_a_digit_that_starts_late_ends_the_string_before_it() -> None:
    strings = StringCollector(StringConfig(end_silence_ms=700))
    found = [*strings.add(digit("1", 1.0)), *strings.add(digit("2", 2.2))]
    assert [s.digits for s in found] == ["1"]
    assert [s.digits for s in strings.finish(3.0)] == ["2"]

"""Posteriors of utterances -> digits, rejections and strings."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from digitd.daemon.events import Digit, Rejected, String
from digitd.daemon.settings import setting


@dataclass(frozen=True)
class StringConfig:
    """When a string of digits is over."""

    end_silence_ms: int = setting(700, at_least=100, at_most=10000)
    """So much silence after a digit ends its string."""


class IsolatedDecoder:
    """One utterance is one digit, or none.

    Args:
        labels: what each posterior stands for.
        threshold: the least posterior of a digit; it may be replaced between utterances.
    """

    def __init__(self, labels: tuple[str, ...], threshold: float) -> None:
        self._labels = labels
        self.threshold = threshold

    def decide(
        self, posteriors: NDArray[np.float32], start_s: float, end_s: float, emitted_s: float
    ) -> Digit | Rejected:
        """The digit of float32 [n_labels], or its rejection with the best guess."""
        best = int(posteriors.argmax())
        confidence = float(posteriors[best])
        kind = Digit if confidence >= self.threshold else Rejected
        return kind(self._labels[best], confidence, start_s, end_s, emitted_s)


class StringCollector:
    """Joins digits to strings, by the silence between them."""

    def __init__(self, config: StringConfig) -> None:
        self._end_silence_s = config.end_silence_ms / 1000
        self._digits: list[Digit] = []

    def add(self, digit: Digit) -> Iterator[String]:
        """Take a digit in; a string that its late start ends comes out."""
        yield from self.advance(digit.start_s, digit.emitted_s)
        self._digits.append(digit)

    def advance(self, silent_until_s: float, taken_in_s: float) -> Iterator[String]:
        """The string that is over, where nothing was said up to `silent_until_s` of the stream."""
        if self._digits and silent_until_s - self._digits[-1].end_s >= self._end_silence_s:
            yield from self.finish(taken_in_s)

    def finish(self, taken_in_s: float) -> Iterator[String]:
        """The string that is open at the end of the stream."""
        digits, self._digits = self._digits, []
        if digits:
            yield String(
                digits="".join(digit.digit for digit in digits),
                confidence=prod(digit.confidence for digit in digits),
                start_s=digits[0].start_s,
                end_s=digits[-1].end_s,
                emitted_s=taken_in_s,
            )

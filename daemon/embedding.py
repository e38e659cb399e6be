"""Digits inside other speech: one that other words follow at once is none.

"No one knows" holds a "one"; "my number is five five five" holds three digits. By sound they are alike; by what follows
them they are not: a digit counts once a pause or another digit has followed it. Most need not wait: one that is sure,
and one right after another, are published at once, and where a digit stands alone the pause is known of as soon as the
digit is. What waits is the doubtful first digit of a string.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from digitd.daemon.events import Digit

NEIGHBOUR_S = 1.1
"""From one end to the next: digits that are further apart have something between them."""
FEWEST_STRONG = 2
"""So many digits in a row that reach the threshold vouch for one another."""


@dataclass(frozen=True)
class DigitConfig:
    """Which digits count."""

    embedded: Literal["reject", "accept"] = "reject"
    """What becomes of a digit that other words follow at once, in mode `always`; `entry` expects only digits, and
    accepts it."""


@dataclass(frozen=True)
class Found:
    """A digit, and what speaks for it."""

    digit: Digit
    at_s: float
    """When it was found."""
    strong: bool
    """Whether it would be a digit without another before it."""
    sure: bool
    """Whether it needs nothing after it."""


class EmbeddingGate:
    """Lets digits pass, at once or after what follows them."""

    def __init__(self) -> None:
        self._held: list[Found] = []
        self._last_end_s = float("-inf")
        self._in_string = False  # whether the last digit followed another

    @property
    def holds(self) -> bool:
        """Whether a digit waits for what follows it."""
        return bool(self._held)

    def admit(self, found: Found) -> Iterator[Digit]:
        """What passes now that a digit has been found."""
        if self._held and found.digit.end_s - self._held[-1].digit.end_s > NEIGHBOUR_S:
            self._held.clear()
        self._held.append(found)
        follows = found.digit.end_s - self._last_end_s <= NEIGHBOUR_S and (found.strong or self._in_string)
        if follows or found.sure or sum(held.strong for held in self._held) >= FEWEST_STRONG:
            yield from self.finish()

    def advance(self, heard_s: float, pauses_after: Callable[[float], bool | None]) -> Iterator[Digit]:
        """What passes because a pause follows it, by what was heard so far."""
        if not self._held:
            return
        if pauses_after(self._held[-1].at_s):
            yield from self.finish()
        elif heard_s - self._held[-1].digit.end_s > NEIGHBOUR_S:
            self._held.clear()

    def reassure(self, label: str) -> Iterator[Digit]:
        """What passes because the digit that was found last has become sure since."""
        if self._held and self._held[-1].digit.digit == label:
            yield from self.finish()

    def finish(self) -> Iterator[Digit]:
        """What passes because the stream ends."""
        digits = [found.digit for found in self._held]
        self._held.clear()
        for digit in digits:
            self._in_string = digit.end_s - self._last_end_s <= NEIGHBOUR_S
            self._last_end_s = digit.end_s
            yield digit

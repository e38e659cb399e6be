"""Digits inside other speech: one that is glued to other words on both sides is none.

"No one knows" holds a "one", and "my number is five five five" begins with a digit that is glued to "is". By sound the
two are alike; by what surrounds them they are not: a digit counts where a pause or another digit is before it, and else
only once a pause or another digit has followed. So most digits are published at once; the first one of a string that is
glued to a word waits until the string goes on or ends.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from digitd.daemon.events import Digit

NEIGHBOUR_S = 1.1
"""From one end to the next: digits that are further apart have something between them."""
GIVEN_UP_S = 0.8
"""No pause and no digit so long after its end: the digit was part of other speech."""


@dataclass(frozen=True)
class DigitConfig:
    """Which digits count."""

    embedded: Literal["reject", "accept"] = "reject"
    """What becomes of a digit glued to other words on both sides, in mode `always`; `entry` expects nothing but digits,
    and accepts it."""


class EmbeddingGate:
    """Lets digits pass, at once or after what follows them."""

    def __init__(self) -> None:
        self._held: Digit | None = None
        self._last_end_s = float("-inf")

    def admit(self, digit: Digit, *, glued: bool) -> Iterator[Digit]:
        """What passes now that a digit has been found; `glued`: another word comes right before it."""
        held, self._held = self._held, None
        if held and digit.end_s - held.end_s <= NEIGHBOUR_S:
            yield from self._pass(held)
        if glued and digit.end_s - self._last_end_s > NEIGHBOUR_S:
            self._held = digit
        else:
            yield from self._pass(digit)

    def advance(self, heard_s: float, pauses_after: Callable[[float], bool]) -> Iterator[Digit]:
        """What passes because a pause follows it, by what was heard so far."""
        if self._held and pauses_after(self._held.end_s):
            yield from self.finish()
        elif self._held and heard_s - self._held.end_s > GIVEN_UP_S:
            self._held = None

    def finish(self) -> Iterator[Digit]:
        """What passes because the stream ends."""
        held, self._held = self._held, None
        if held:
            yield from self._pass(held)

    def _pass(self, digit: Digit) -> Iterator[Digit]:
        self._last_end_s = digit.end_s
        yield digit

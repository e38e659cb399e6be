"""Posteriors of a stream -> digits: each published once, as soon as it is sure."""

from collections import deque
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from digitd.daemon.settings import setting

Kind = Literal["isolated", "connected"]
"""What a bundle was trained for: digits with a pause before and after, or strings of them too."""


ROUNDING = 1e-9
"""Sums of floats may be so much off: an output is never waited for that is not needed."""
RISEN_SHARE = 0.1
"""The same digit is said again where its share is so much more than the least that it had since."""


@dataclass(frozen=True)
class Decoding:
    """How posteriors become digits: it is chosen with the network, and lives in the bundle's manifest."""

    smoothed_outputs: int = setting(3, at_least=1, at_most=20)
    """A digit's confidence is its mean posterior over so many outputs: one lone output is a chance."""
    rearmed_share: float = setting(0.5, at_least=0, at_most=1)
    """The network goes on telling of the digit it has told. Isolated: before another is published, all digits together
    must fall below this share of the threshold; without it, a word in four comes twice at a threshold of 0.3.
    Connected: only the same digit waits, until it falls below this share of the most that it reached: between the two
    of "eight eight" it falls to a third or less, but not to nothing."""
    refractory_s: float = setting(0.35, at_least=0, at_most=2)
    """Nor is another published sooner: the shortest digit with the shortest pause lasts longer."""
    follow_share: float = setting(1.0, at_least=0, at_most=1)
    """Connected: right after a digit, this share of the threshold is enough. Where one digit was said, another is
    likely; other speech seldom has two sounds in a row that are taken for digits."""
    follow_s: float = setting(1.1, at_least=0, at_most=10)
    """From one end to the next: what comes later does not follow."""


@dataclass(frozen=True)
class Candidate:
    """The digit that most likely has just ended."""

    label: str
    confidence: float
    at_s: float
    """Position in the stream up to which was heard."""
    shares: tuple[float, ...]
    """Mean posterior of each label."""


class StreamDecoder:
    """Takes the network's outputs one by one.

    Args:
        labels: what each posterior but the last stands for.
        threshold: the least confidence of a digit; it may be replaced at any time.
        decoding: the bundle's.
        kind: the bundle's.
    """

    def __init__(self, labels: tuple[str, ...], threshold: float, decoding: Decoding, kind: Kind) -> None:
        self._labels, self._decoding = labels, decoding
        self._connected = kind == "connected"
        self.threshold = threshold
        self._recent: deque[list[float]] = deque(maxlen=decoding.smoothed_outputs)
        self._told: int | None = None  # the digit that was published last, until the network has ceased to tell of it
        self._peak = 0.0  # the most that it reached
        self._told_at_s = float("-inf")
        self._last: int | None = None  # the digit that was published last,
        self._lowest = 1.0  # and the least share that it had since the network has ceased to tell of it

    def push(self, posteriors: NDArray[np.float32], at_s: float) -> tuple[Candidate, bool]:
        """The best guess after float32 [n_labels + 1], and whether it is a digit to publish."""
        shares = posteriors[:-1].tolist()  # Python's own sums of so few are faster than numpy's
        if self._connected:
            self._forget_fallen(shares)
        self._recent.append(shares)
        smoothed = tuple(
            sum(of_label) / self._decoding.smoothed_outputs for of_label in zip(*self._recent, strict=True)
        )
        confidence = max(smoothed)
        best = smoothed.index(confidence)
        if not self._connected and sum(smoothed) < self._decoding.rearmed_share * self.threshold:
            self._told = None
        candidate = Candidate(self._labels[best], confidence, at_s, smoothed)
        if self._last is not None and self._told is None:
            self._lowest = min(self._lowest, max(shares[self._last], smoothed[self._last]))
        waits = self._told is not None and not (self._connected and best != self._told)
        since_s = at_s - self._told_at_s
        accepted = not waits and at_s >= self.deaf_until_s and candidate.confidence >= self._least(since_s)
        if accepted:
            self._told, self._told_at_s, self._peak = best, at_s, shares[best]
            self._last, self._lowest = best, 1.0
        return candidate, accepted

    @property
    def deaf_until_s(self) -> float:
        """Before then no digit is published, whatever is said."""
        return self._told_at_s + self._decoding.refractory_s

    @property
    def soonest_outputs(self) -> int:
        """Before so many more outputs no digit is published: so many it takes if each of them is sure of one digit."""
        n_smoothed = self._decoding.smoothed_outputs
        wanted = n_smoothed * self.threshold * (self._decoding.follow_share if self._connected else 1.0)
        most = [max(shares) for shares in self._recent]
        soonest = 1
        while soonest < n_smoothed and sum(most[soonest - n_smoothed :]) + soonest < wanted - ROUNDING:
            soonest += 1
        return soonest

    def is_new(self, candidate: Candidate) -> bool:
        """Whether it is no echo of the digit that was told last, of which the network goes on telling for a while."""
        if self._last is not None and candidate.label == self._labels[self._last]:
            return self._told is None and candidate.confidence >= self._lowest + RISEN_SHARE
        return self._told is None or self._connected

    def _forget_fallen(self, shares: list[float]) -> None:
        """The digit that was told last may come again once it has fallen; what spoke for it before counts no more."""
        if self._told is None:
            return
        self._peak = max(self._peak, shares[self._told])
        if shares[self._told] < self._decoding.rearmed_share * self._peak:
            self._told = None
            self._recent.clear()

    def _least(self, since_s: float) -> float:
        """Confidence of a digit so long after the last one."""
        follows = self._connected and since_s <= self._decoding.follow_s
        return self.threshold * (self._decoding.follow_share if follows else 1.0)

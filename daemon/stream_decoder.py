"""Posteriors of a stream -> digits: each published once, as soon as it is sure."""

from collections import deque
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from digitd.daemon.settings import setting

Kind = Literal["isolated", "connected"]
"""What a bundle was trained for: digits with a pause before and after, or strings of them too."""


@dataclass(frozen=True)
class Decoding:
    """How posteriors become digits: it is chosen with the network, and lives in the bundle's manifest."""

    smoothed_outputs: int = setting(3, at_least=1, at_most=20)
    """A digit's confidence is its mean posterior over so many outputs: one lone output is a chance."""
    rearmed_share: float = setting(0.5, at_least=0, at_most=1)
    """After a digit, the digits must fall below this share of the threshold before another is published: the network
    goes on telling of the one it has told. Without it, a word in four comes twice at a threshold of 0.3. Where digits
    are connected, only the same digit waits for that: another one may follow at once."""
    refractory_s: float = setting(0.35, at_least=0, at_most=2)
    """Nor is another published sooner: the shortest digit with the shortest pause lasts longer."""


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
        self._recent: deque[NDArray[np.float32]] = deque(maxlen=decoding.smoothed_outputs)
        self._told: int | None = None  # the digit that was published last, until the network has ceased to tell of it
        self._deaf_until_s = 0.0

    def push(self, posteriors: NDArray[np.float32], at_s: float) -> tuple[Candidate, bool]:
        """The best guess after float32 [n_labels + 1], and whether it is a digit to publish."""
        self._recent.append(posteriors[:-1])
        smoothed = np.sum(self._recent, axis=0) / self._decoding.smoothed_outputs
        best = int(smoothed.argmax())
        candidate = Candidate(self._labels[best], float(smoothed[best]), at_s, tuple(smoothed.tolist()))
        if self._told is not None:
            told = float(smoothed[self._told] if self._connected else smoothed.sum())
            if told < self._decoding.rearmed_share * self.threshold:
                self._told = None
        waits = self._told is not None and not (self._connected and best != self._told)
        accepted = not waits and candidate.confidence >= self.threshold and at_s >= self._deaf_until_s
        if accepted:
            self._told, self._deaf_until_s = best, at_s + self._decoding.refractory_s
        return candidate, accepted

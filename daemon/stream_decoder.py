"""Posteriors of a stream -> digits: each published once, as soon as it is sure."""

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SMOOTHED_OUTPUTS = 3
"""A digit's confidence is its mean posterior over so many outputs, 120 ms: one lone output is a chance."""
REARMED_SHARE = 0.5
"""After a digit, all digits together must fall below this share of the threshold before another is published: the
network goes on telling of the one it has told. Without it, a word in four comes twice at a threshold of 0.3."""
REFRACTORY_S = 0.35
"""Nor is another published sooner: the shortest digit with the shortest pause lasts longer."""


@dataclass(frozen=True)
class Candidate:
    """The digit that most likely has just ended."""

    label: str
    confidence: float
    at_s: float
    """Position in the stream up to which was heard."""


class StreamDecoder:
    """Takes the network's outputs one by one.

    Args:
        labels: what each posterior but the last stands for.
        threshold: the least confidence of a digit; it may be replaced at any time.
    """

    def __init__(self, labels: tuple[str, ...], threshold: float) -> None:
        self._labels = labels
        self.threshold = threshold
        self._recent: deque[NDArray[np.float32]] = deque(maxlen=SMOOTHED_OUTPUTS)
        self._armed = True
        self._deaf_until_s = 0.0

    def push(self, posteriors: NDArray[np.float32], at_s: float) -> tuple[Candidate, bool]:
        """The best guess after float32 [n_labels + 1], and whether it is a digit to publish."""
        self._recent.append(posteriors[:-1])
        smoothed = np.sum(self._recent, axis=0) / SMOOTHED_OUTPUTS
        best = int(smoothed.argmax())
        candidate = Candidate(self._labels[best], float(smoothed[best]), at_s)
        self._armed = self._armed or float(smoothed.sum()) < REARMED_SHARE * self.threshold
        accepted = self._armed and candidate.confidence >= self.threshold and at_s >= self._deaf_until_s
        if accepted:
            self._armed, self._deaf_until_s = False, at_s + REFRACTORY_S
        return candidate, accepted

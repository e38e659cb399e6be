"""Posteriors of utterances -> digits and rejections."""

import numpy as np
from numpy.typing import NDArray

from digitd.daemon.events import Digit, Rejected


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
        if confidence < self.threshold:
            return Rejected(self._labels[best], confidence, start_s, end_s, emitted_s)
        shares = tuple(zip(self._labels, posteriors.tolist(), strict=True))
        return Digit(self._labels[best], confidence, start_s, end_s, emitted_s, shares)

"""Clips -> who says what in a scene."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from digitd.trainer.clips import Clip


class Cast:
    """Draws who says what: labels alike, speakers by the root of how much there is of them."""

    def __init__(self, clips: Sequence[Clip], synthetic_share: float) -> None:
        self._share = synthetic_share
        self._of: dict[tuple[bool, str], list[Clip]] = defaultdict(list)
        for clip in clips:
            self._of[clip.recording.synthetic, clip.recording.label].append(clip)
        self._weights: dict[tuple[bool, str], NDArray[np.float64]] = {}
        for key, members in self._of.items():
            counts: dict[str, int] = defaultdict(int)
            for clip in members:
                counts[clip.recording.speaker] += 1
            weights = np.array([counts[clip.recording.speaker] ** -0.5 for clip in members])
            self._weights[key] = np.cumsum(weights / weights.sum())
        self._labels = {
            s: sorted({label for is_synthetic, label in self._of if is_synthetic == s}) for s in (False, True)
        }

    def draw(self, generator: np.random.Generator, label: str | None = None) -> Clip:
        """Some clip, of a label if one is given."""
        synthetic = bool(self._labels[True]) and (not self._labels[False] or generator.random() < self._share)
        if label is None:
            label = self._labels[synthetic][generator.integers(len(self._labels[synthetic]))]
        if (synthetic, label) not in self._of:
            synthetic = not synthetic
        key = synthetic, label
        return self._of[key][min(int(np.searchsorted(self._weights[key], generator.random())), len(self._of[key]) - 1)]

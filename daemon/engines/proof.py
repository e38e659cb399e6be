"""A network's answers against those that it gave at its release."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from digitd.daemon.errors import BundleError

FEATURE_TOLERANCE = 1e-3
"""Largest difference from the golden features (of a range of 1). Processors and FFTs differ by some 1e-5."""
EXACT_TOLERANCE = 1e-3
"""Largest difference from the golden posteriors on a CPU."""
COARSE_TOLERANCE = 1e-2
"""The same where a GPU may be at work: it may multiply in TF32 (10-bit mantissa)."""


class Proof:
    """Compares with a bundle's golden vector.

    Args:
        folder: The bundle's, named in messages.
        tolerance: The largest difference from its posteriors.
    """

    def __init__(self, folder: Path, tolerance: float) -> None:
        self._folder, self._tolerance = folder, tolerance

    def compare_features(self, found: NDArray[np.float32], golden: NDArray[np.float32]) -> None:
        """Raises BundleError where features are not those of the release."""
        self._compare("features", found, golden, FEATURE_TOLERANCE)

    def compare_posteriors(self, found: NDArray[np.float32], golden: NDArray[np.float32], n_outputs: int) -> None:
        """Raises BundleError where posteriors are not those of the release, or not `n_outputs` at a time."""
        if found.shape[-1] != n_outputs:
            raise BundleError(
                f"{self._folder}: the network gives {found.shape} posteriors where the last should be {n_outputs}; "
                "release the bundle again with `digitd export`"
            )
        self._compare("posteriors", found, golden, self._tolerance)

    def _compare(self, what: str, found: NDArray[np.float32], golden: NDArray[np.float32], tolerance: float) -> None:
        apart = difference(found, golden)
        if not apart <= tolerance:
            raise BundleError(
                f"{self._folder}: {what} differ from the golden vector by {apart:.2g}, allowed are "
                f"{tolerance:g}; restore the released files, or release again with `digitd export`"
            )


def difference(found: NDArray[np.float32], golden: NDArray[np.float32]) -> float:
    """The largest, endless where they have not the same shape."""
    return float(np.abs(found - golden).max()) if found.shape == golden.shape else float("inf")

"""Posteriors of an utterance -> a digit or its rejection."""

import numpy as np
import pytest

from digitd.daemon.decoder import IsolatedDecoder
from digitd.daemon.events import Digit, Rejected


@pytest.mark.parametrize(("best", "kind"), [(0.7, Digit), (0.6, Digit), (0.59, Rejected)])
def test_the_threshold_parts_digits_from_rejections(best: float, kind: type) -> None:
    posteriors = np.array([0.1, best, 0.9 - best], np.float32)
    posteriors[1] = np.float32(best)
    found = IsolatedDecoder(("0", "1", "2"), float(np.float32(0.6))).decide(posteriors, 1.0, 1.4, 1.6)
    assert type(found) is kind
    assert (found.start_s, found.end_s, found.emitted_s) == (1.0, 1.4, 1.6)
    assert (found.digit if isinstance(found, Digit) else found.guess) == "1"

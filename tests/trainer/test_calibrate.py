"""The line from posteriors to confidences, on digits of which it is known how often they are right."""

import numpy as np
import pytest

from digitd.daemon.confidence import Calibration
from digitd.trainer.calibrate import line

pytestmark = pytest.mark.train


def test_a_known_line_is_found_again() -> None:
    generator = np.random.default_rng(0)
    shares = generator.uniform(0.2, 0.99, 20_000)
    truth = Calibration(1.5, 2.0)
    right = generator.random(len(shares)) < [truth.confidence(share) for share in shares]
    found = line(shares.tolist(), right.tolist())
    assert found.slope == pytest.approx(truth.slope, abs=0.15)
    assert found.offset == pytest.approx(truth.offset, abs=0.15)


@pytest.mark.parametrize("right", [True, False])
def test_digits_that_are_all_right_say_nothing(right: bool) -> None:
    assert line([0.5, 0.9], [right, right]) == Calibration()


def test_no_digit_says_nothing() -> None:
    assert line([], []) == Calibration()

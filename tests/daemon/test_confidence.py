"""From posteriors to confidences."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digitd.daemon.confidence import SUREST, Calibration

SHARES = st.floats(0, 1)


@given(SHARES)
def test_by_default_nothing_changes(share: float) -> None:
    assert Calibration().confidence(share) == pytest.approx(min(max(share, 1 - SUREST), SUREST))


@given(SHARES, SHARES, st.floats(0, 5), st.floats(-5, 5))
def test_surer_stays_surer(a: float, b: float, slope: float, offset: float) -> None:
    calibration = Calibration(slope, offset)
    low, high = sorted((a, b))
    assert 0 <= calibration.confidence(low) <= calibration.confidence(high) <= 1

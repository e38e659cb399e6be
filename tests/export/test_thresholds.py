"""Operating points, from a curve."""

import pytest

from digitd.daemon.stream_decoder import Kind
from digitd.trainer.field_test import Point
from digitd.trainer.limits import Limits

pytestmark = pytest.mark.train
CURVE = [
    Point(0.2, 0.900, 0.120, 500.0, 200.0),
    Point(0.3, 0.968, 0.090, 300.0, 90.0),
    Point(0.5, 0.970, 0.030, 150.0, 50.0),
    Point(0.8, 0.910, 0.010, 12.0, 4.0),
    Point(0.9, 0.820, 0.002, 2.0, 0.0),
]


@pytest.mark.parametrize(
    ("kind", "limits", "always", "entry"),
    [
        ("isolated", Limits(20, 0.014, 0.10), 0.8, 0.5),
        ("connected", Limits(20, 0.014, 0.10), 0.8, 0.3),  # hardly worse, and strings lose fewer digits
        ("connected", Limits(20, 0.014, 0.05), 0.8, 0.5),  # 0.3 lets too many words through
        ("connected", Limits(3, 0.014, 0.001), 0.9, 0.9),  # nothing holds the limit of words
        ("isolated", Limits(400, 0.5, 0.05), 0.5, 0.5),  # entry is never the stricter
    ],
)
def test_thresholds_are_of_the_curve(kind: Kind, limits: Limits, always: float, entry: float) -> None:
    from digitd.export.stream_release import thresholds

    found = thresholds(CURVE, limits, kind)
    assert (found.always, found.entry) == (always, entry)
    assert ("lowest" in found.calibration) == (kind == "connected")

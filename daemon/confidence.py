"""How sure a digit is, as a share of such digits that are right."""

from dataclasses import dataclass
from math import exp, log

from digitd.daemon.settings import setting

SUREST = 1 - 1e-4
MOST_LOG_ODDS = 700.0
"""`exp` can take."""


@dataclass(frozen=True)
class Calibration:
    """Mean posterior -> confidence: a line between log odds (Platt, 1999), chosen on the validation part at export.

    A digit is published as soon as its mean posterior reaches the threshold, on its way up: it is more often right than
    that number says. Thresholds are compared with the mean posterior itself.
    """

    slope: float = setting(1.0, at_least=0, at_most=100)
    offset: float = setting(0.0, at_least=-100, at_most=100)

    def confidence(self, share: float) -> float:
        """Of a mean posterior; by default the same."""
        share = min(max(share, 1 - SUREST), SUREST)
        odds = -self.slope * log(share / (1 - share)) - self.offset
        return 1 / (1 + exp(min(odds, MOST_LOG_ODDS)))

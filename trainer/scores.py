"""What is measured of a recogniser; the trainer's reports and the exporter's metrics read off the same functions."""

from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import binomtest

from digitd.daemon.events import Digit, Rejected

EARLY_S = 0.3
LATE_S = 0.4
"""An event counts for a word if its middle lies between EARLY_S before and LATE_S after it."""


@dataclass(frozen=True)
class Word:
    """A word of a composed stream."""

    label: str
    speaker: str
    start_s: float
    end_s: float
    corpus: str = ""


def share_right(right: int, total: int) -> dict[str, float]:
    """A share with its 95 % interval (Wilson 1927) and what it is a share of, as a plain table."""
    interval = binomtest(right, total).proportion_ci(method="wilson")
    shares = {"share": right / total, "low": interval.low, "high": interval.high}
    return {**{name: round(share, 4) for name, share in shares.items()}, "right": right, "total": total}


def percent(share: dict[str, float]) -> str:
    """`97.1 % (95.2-98.3)`: what `share_right` gives, as text."""
    return f"{100 * share['share']:.1f} % ({100 * share['low']:.1f}-{100 * share['high']:.1f})"


def assigned(words: Sequence[Word], found: Sequence[Digit | Rejected]) -> list[list[Digit | Rejected]]:
    """For each word the events whose middle lies on it; an event between two words belongs to the nearer one."""
    per_word: list[list[Digit | Rejected]] = [[] for _ in words]
    for event in found:
        middle_s = (event.start_s + event.end_s) / 2
        nearest = min(range(len(words)), key=lambda n: _distance_s(words[n], middle_s))
        if words[nearest].start_s - EARLY_S <= middle_s <= words[nearest].end_s + LATE_S:
            per_word[nearest].append(event)
    return per_word


def assigned_to_spans(
    spans_s: Sequence[tuple[float, float]], found: Sequence[Digit]
) -> tuple[list[list[Digit]], list[Digit]]:
    """For each span of time, in order, the digits whose middle lies on it, and those that lie on none."""
    words = [Word("", "", start_s, end_s) for start_s, end_s in spans_s]
    on_spans: list[list[Digit]] = [[] for _ in spans_s]
    outside: list[Digit] = []
    for digit in found:
        on_each = assigned(words, [digit])
        at = next((number for number, events in enumerate(on_each) if events), None)
        (outside if at is None else on_spans[at]).append(digit)
    return on_spans, outside


def _distance_s(word: Word, at_s: float) -> float:
    return max(word.start_s - at_s, at_s - word.end_s, 0.0)

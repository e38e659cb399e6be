"""What digitd sets itself: each goal beside what was measured."""

from dataclasses import dataclass
from typing import Any

from digitd.export.bench.part import Part


@dataclass(frozen=True)
class Goal:
    """One figure and its bounds."""

    what: str
    path: str
    """Of the figure within bench.json's parts."""
    must: float
    aim: float
    more_is_better: bool = False
    against: str = ""
    """Path of what it is divided by."""

    def value(self, parts: dict[str, Any]) -> float | None:
        """What was measured; None where it was not."""
        own = _at(parts, self.path)
        other = _at(parts, self.against) if self.against else 1.0
        return own / other if own is not None and other else None

    def holds(self, value: float, bound: float) -> bool:
        """Whether a bound is kept."""
        return value >= bound if self.more_is_better else value <= bound


POCKETSPHINX = "peers.pocketsphinx, final text"
GOALS = (
    Goal(
        "a long recording, whole process, one core: times real time", "process.times_real_time",
        200, 1000, more_is_better=True,
    ),
    Goal("live streams on one core within 50 ms of one alone", "streams.streams_within", 100, 500, more_is_better=True),
    *(
        Goal(
            f"processor time against pocketsphinx, {what}, {way}", f"peers.{ours}.{key}",
            1 / 2, 1 / 5, against=f"{POCKETSPHINX}.{key}",
        )
        for what, key in (("phrases", "ms_per_audio_s"), ("single digits", "ms_per_audio_s_single"))
        for way, ours in (("from a file", "digitd, always, from a file"), ("live", "digitd, always"))
    ),
    Goal(
        "latency p50, against pocketsphinx", "peers.digitd, always.score.latency_s.p50",
        1 / 2, 1 / 5, against=f"{POCKETSPHINX}.score.latency_s.p50",
    ),
    Goal("start to ready, s", "process.ready_s", 0.6, 0.4),
    Goal("start to READY with a microphone, s", "idle.microphone.ready_s", 0.6, 0.4),
    Goal("resident memory, MB", "process.resident_mb", 100, 80),
    Goal("resident memory with a microphone's process, MB", "idle.microphone.together_mb", 100, 80),
    Goal("idle: a quiet room through a pipe, % of a core", "idle.pipe.percent", 1, 0.5),
    Goal("idle: a quiet room through a microphone, % of a core", "idle.microphone.percent", 1, 0.5),
)  # fmt: skip


def _at(parts: dict[str, Any], path: str) -> float | None:
    """The figure there, a spread by its median; names may hold no dot."""
    here: Any = parts
    for name in path.split("."):
        if not isinstance(here, dict) or name not in here:
            return None
        here = here[name]
    return float(here["median"] if isinstance(here, dict) else here)


def table(parts: dict[str, Any]) -> Part:
    """Those that were measured."""
    values = [(goal, value) for goal in GOALS if (value := goal.value(parts)) is not None]
    rows = tuple(
        (goal.what, f"{value:.3g}", f"{goal.must:g}", f"{goal.aim:g}", _verdict(goal, value)) for goal, value in values
    )
    return Part("Goals", ("what", "measured", "must", "aim", ""), rows)


def _verdict(goal: Goal, value: float) -> str:
    if goal.holds(value, goal.aim):
        return "aim"
    return "kept" if goal.holds(value, goal.must) else "MISSED"

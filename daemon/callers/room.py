"""Whether there is room for one more stream: by how long a round over all of them takes."""

LONGEST_ROUND_S = 0.017
"""Rounds begin every 20 ms where they can: then the processor is at 85 %. Where it is full, one round waits for the
other: measured, p99 of digits is 36 ms at 84 % of a core and 101 ms at 100 %, more than 50 later than of one stream."""
MEMORY_S = 0.5
"""Rounds count the less the longer ago they were."""
PACE_S = 0.25
"""In so long,"""
NEWCOMERS = 8
"""so many more are let in: what they cost shows only when they are heard."""


class Room:
    """Watches the rounds.

    Args:
        wanted: so many streams are heard at once; 0: as many as there is room for.
        possible: the process can hold no more.
    """

    def __init__(self, wanted: int, possible: int) -> None:
        self._most = min(wanted or possible, possible)
        self._round_s = 0.0
        self._paced_s, self._newcomers = float("-inf"), 0

    def note(self, work_s: float, length_s: float) -> None:
        """A round has taken so long, and the next one began so long after it."""
        share = min(1.0, length_s / MEMORY_S)
        self._round_s += share * (work_s - self._round_s)

    def is_open(self, now_s: float) -> bool:
        """Whether one more may be let in, or turned away, at this moment."""
        if now_s - self._paced_s >= PACE_S:
            self._paced_s, self._newcomers = now_s, 0
        return self._newcomers < NEWCOMERS

    def refusal(self, n_streams: int) -> str:
        """Why one more cannot be heard; empty where he can."""
        if n_streams >= self._most:
            return f"{n_streams} streams are heard, which is all this daemon hears at once; try again later"
        expected_s = self._round_s * (n_streams + 1) / max(1, n_streams)
        if n_streams and expected_s > LONGEST_ROUND_S:  # nobody is refused by an empty daemon
            return (
                f"{n_streams} streams are heard, and the processor has room for no more; try again later, or another "
                "daemon"
            )
        self._newcomers += 1
        return ""

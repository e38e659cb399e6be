"""Frames that never came, told by the clock: sound servers and drivers lose them without a word."""

GAP_S = 0.3
"""A chunk that comes so much later than its frames account for comes after a gap; chunks that are only late do not."""
DRIFT = 1e-3
"""A sound card's own clock is off by at most this; cheap ones by 1e-4."""


class FrameClock:
    """Compares how many frames have come with how many should have."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._due_s: float | None = None

    def push(self, n_frames: int, at_s: float) -> int:
        """How many frames were lost before these, the last of which came `at_s`; 0 where none was."""
        length_s = n_frames / self._rate_hz
        if self._due_s is None:
            self._due_s = at_s
            return 0
        self._due_s += length_s
        late_s = at_s - self._due_s
        if late_s > GAP_S:
            self._due_s = at_s
            return round(late_s * self._rate_hz)
        # what is steadily late or early is drift; what comes in a burst after a pause was only late
        self._due_s += min(max(late_s, -GAP_S), DRIFT * length_s)
        return 0

"""The operating point that a running daemon is asked for, from outside its own thread."""

from digitd.daemon.mode import Mode


class ModeSwitch:
    """Holds the mode that was asked for last; the stream takes it up at its next block.

    It needs no lock, which a signal handler could not take: each call is one assignment, and where a `toggle` is cut in
    two by an assignment of another thread, the outcome is that of the one after the other.
    """

    def __init__(self, mode: Mode) -> None:
        self.wanted: Mode = mode

    def toggle(self) -> None:
        """Ask for the other mode."""
        self.wanted = "entry" if self.wanted == "always" else "always"

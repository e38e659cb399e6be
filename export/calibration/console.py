"""What is said to the person, and asked."""

import sys
from dataclasses import dataclass

import numpy as np

from digitd.daemon.audio import Samples
from digitd.export.calibration.level import dbfs

METER_CHARACTERS = 30
METER_DBFS = (-70.0, 0.0)


@dataclass
class Console:
    """Standard output and standard input.

    Args:
        agreed: the answer to all questions that no flag has answered; None asks them.
    """

    agreed: bool | None = None

    def __post_init__(self) -> None:
        self._metered = False

    @property
    def interactive(self) -> bool:
        """Whether somebody sits there."""
        return sys.stdin is not None and sys.stdin.isatty()

    def say(self, text: str = "", end: str = "\n") -> None:
        """A line."""
        if self._metered:
            print("\r\033[K", end="")
            self._metered = False
        print(text, end=end, flush=True)

    def meter(self, samples: Samples) -> None:
        """A bar of the level, which the next line takes away; nothing where no terminal is."""
        if not len(samples) or not sys.stdout.isatty():
            return
        low, high = METER_DBFS
        level = dbfs(float(np.abs(samples).max()))
        filled = round(METER_CHARACTERS * min(1.0, max(0.0, (level - low) / (high - low))))
        print(f"\r  [{'#' * filled}{' ' * (METER_CHARACTERS - filled)}] {level:4.0f} dBFS \033[K", end="", flush=True)
        self._metered = True

    def agrees(self, question: str, flag: bool | None, *, default: bool) -> bool:
        """The answer of a flag, of `agreed`, of the person, or else `default`: where nobody sits there."""
        for known in (flag, self.agreed):
            if known is not None:
                return known
        if not self.interactive:
            return default
        while True:
            self.say(f"{question} [{'Y/n' if default else 'y/N'}] ", end="")
            answer = sys.stdin.readline()
            if not answer:  # closed
                self.say()
                return False
            if not (word := answer.strip().lower()):
                return default
            if word in ("y", "yes", "n", "no"):
                return word.startswith("y")

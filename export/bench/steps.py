"""How many steps of Python each stage takes: lines and calls, counted. However busy a machine is, they are the same."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from digitd.export.bench import stopwatch
from digitd.export.bench.stopwatch import OUTSIDE

UNCOUNTED = frozenset({__file__, stopwatch.__file__, threading.__file__})


class Steps:
    """Counts lines and calls of the thread that it runs in, a stage at a time."""

    def __init__(self) -> None:
        self._running = [OUTSIDE]
        self.counted: dict[str, int] = {}
        """Stage -> steps."""

    def enter(self, stage: str) -> None:
        """What follows belongs to `stage`."""
        self._running.append(stage)

    def leave(self) -> None:
        """What follows belongs to the stage before."""
        self._running.pop()

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Everything meanwhile is counted; it takes many times longer."""
        sys.setprofile(self._call)
        sys.settrace(self._line)
        try:
            yield
        finally:
            sys.settrace(None)
            sys.setprofile(None)

    def _count(self) -> None:
        stage = self._running[-1]
        self.counted[stage] = self.counted.get(stage, 0) + 1

    def _call(self, frame: FrameType, event: str, _argument: object) -> None:
        if event in ("call", "c_call") and frame.f_code.co_filename not in UNCOUNTED:
            self._count()

    def _line(self, frame: FrameType, event: str, _argument: object) -> Any:
        if frame.f_code.co_filename in UNCOUNTED:
            return None
        if event == "line":
            self._count()
        return self._line

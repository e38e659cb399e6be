"""How long each stage of a running pipeline takes: every moment belongs to the innermost stage that runs."""

import functools
import inspect
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

OUTSIDE = "outside"
"""Where no stage runs."""


class Probe(NamedTuple):
    """A method whose time belongs to a stage."""

    owner: type
    method: str
    stage: str


class Gauge(Protocol):
    """Is told which stage runs."""

    def enter(self, stage: str) -> None:
        """The stage that ran is interrupted."""
        ...

    def leave(self) -> None:
        """The stage that was interrupted goes on."""
        ...


class Stopwatch:
    """Charges the processor time of its thread to stages: what else the machine does is nobody's."""

    def __init__(self) -> None:
        self._running = [OUTSIDE]
        self._spent_ns: dict[str, int] = {}
        self._since_ns = time.thread_time_ns()

    def enter(self, stage: str) -> None:
        """The stage that ran is interrupted."""
        self._charge()
        self._running.append(stage)

    def leave(self) -> None:
        """The stage that was interrupted goes on."""
        self._charge()
        self._running.pop()

    def lap_ns(self) -> dict[str, int]:
        """Nanoseconds of each stage since the last lap."""
        self._charge()
        spent, self._spent_ns = self._spent_ns, {}
        return spent

    def _charge(self) -> None:
        now_ns = time.thread_time_ns()
        stage = self._running[-1]
        self._spent_ns[stage] = self._spent_ns.get(stage, 0) + now_ns - self._since_ns
        self._since_ns = now_ns


@contextmanager
def probed(probes: Sequence[Probe], gauge: Gauge) -> Iterator[None]:
    """The probed methods, of all objects, tell the gauge when they begin and end; they are as they were afterwards.

    The stages themselves know nothing of being measured: that would cost a running daemon what nobody reads.
    """
    originals = [(probe, inspect.getattr_static(probe.owner, probe.method)) for probe in probes]
    for probe, original in originals:
        bound = original.__func__ if isinstance(original, classmethod | staticmethod) else original
        told = _told(bound, probe.stage, gauge)
        setattr(probe.owner, probe.method, told if bound is original else type(original)(told))
    try:
        yield
    finally:
        for probe, original in originals:
            setattr(probe.owner, probe.method, original)


def _told(original: Callable[..., Any], stage: str, gauge: Gauge) -> Callable[..., Any]:
    """A method that does the same; a generator's steps are timed one by one, not what its reader does between them."""
    if inspect.isgeneratorfunction(original):

        @functools.wraps(original)
        def steps(*arguments: Any, **named: Any) -> Generator[Any, None, Any]:
            generator = original(*arguments, **named)
            while True:
                gauge.enter(stage)
                try:
                    found = next(generator)
                except StopIteration as end:
                    return end.value
                finally:
                    gauge.leave()
                yield found

        return steps

    @functools.wraps(original)
    def call(*arguments: Any, **named: Any) -> Any:
        gauge.enter(stage)
        try:
            return original(*arguments, **named)
        finally:
            gauge.leave()

    return call

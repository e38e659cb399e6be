"""What every sink offers, and which one a SPEC names."""

from pathlib import Path
from threading import Event as Flag
from typing import Protocol

from digitd.daemon.errors import SinkError
from digitd.daemon.events import Event
from digitd.daemon.mode_switch import ModeSwitch
from digitd.daemon.settings import nearest

KINDS = ("stdout:text", "stdout:strings", "stdout:jsonl", "unix:PATH")


class ReaderGone(Exception):  # noqa: N818 - no error: `digitd run | head -1` is right to leave
    """The one reader of a sink has left; there is nothing more to publish for."""


class Sink(Protocol):
    """Takes events in order."""

    def publish(self, event: Event) -> None:
        """Hand one event on.

        Raises:
            ReaderGone: nobody will ever read it.
        """
        ...

    def close(self) -> None:
        """Flush what is pending, within half a second."""
        ...


def open_sink(spec: str, stop: Flag, switch: ModeSwitch) -> Sink:
    """The sink that `spec` names; once `stop` is set it waits for no reader any more.

    A reader that can answer may ask for another mode through `switch`.

    Raises:
        SinkError: no such sink, or it cannot be opened.
    """
    kind, _, argument = spec.partition(":")
    if kind == "unix" and argument:
        from digitd.daemon.sinks.unix_socket import UnixSocketSink

        return UnixSocketSink(Path(argument), switch)
    if kind == "stdout":
        from digitd.daemon.sinks.stdout import FORMATS, StdoutSink

        if argument in FORMATS:
            return StdoutSink(FORMATS[argument], stop)
    raise SinkError(f"no sink {spec!r}{nearest(spec, KINDS)}")

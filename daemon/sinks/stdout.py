"""Lines on standard output, each flushed."""

import os
import select
import sys
from collections.abc import Callable
from typing import TextIO

from digitd.daemon.errors import SinkError
from digitd.daemon.events import Digit, Event, String
from digitd.daemon.log import goes_to_journal
from digitd.daemon.sinks.sink import Backlog, ReaderGone, Surroundings

POLL_S = 0.1
CLOSE_S = 0.3

Format = Callable[[Event], str | None]
"""The line of an event, or None where it has none."""


def digit_line(event: Event) -> str | None:
    """`stdout:text`: a digit a line."""
    return event.body.digit if isinstance(event.body, Digit) else None


def string_line(event: Event) -> str | None:
    """`stdout:strings`: a string of digits a line."""
    return event.body.digits if isinstance(event.body, String) else None


FORMATS: dict[str, Format] = {"text": digit_line, "strings": string_line, "jsonl": Event.to_json}


class StdoutSink:
    """Writes one format to standard output.

    Raises:
        SinkError: it is closed, or would put secret digits into the journal.
    """

    def __init__(self, line: Format, surroundings: Surroundings) -> None:
        if sys.stdout is None:
            raise SinkError("standard output is closed; open it or name another --sink")
        if surroundings.secret and goes_to_journal(sys.stdout.fileno()):
            raise SinkError(
                "secret = true and standard output is the journal, which would keep the digits; name another sink"
            )
        self._line = line
        self._stop = surroundings.stop

    def publish(self, event: Event) -> None:
        """Write the event's line.

        Raises:
            ReaderGone: the pipe's reader has left.
            SinkError: it cannot be written (a full disk, say).
        """
        line = self._line(event)
        if line is not None:
            self._wait_until_writable()
            write_line(line)

    def _wait_until_writable(self) -> None:
        """A reader that does not read is waited for, but for no longer than CLOSE_S after a signal."""
        waited_s = 0.0
        while not select.select([], [sys.stdout], [], POLL_S)[1]:
            waited_s = waited_s + POLL_S if self._stop.is_set() else 0.0
            if waited_s >= CLOSE_S:
                _discard(sys.stdout)
                raise ReaderGone

    @property
    def backlog(self) -> Backlog:
        """Nothing waits here: each line is flushed."""
        return Backlog()

    def close(self) -> None:
        """Nothing is pending: each line was flushed."""


def write_line(line: str, out: TextIO | None = None) -> None:
    """Write a line to standard output, at once; `out` is what that was, where it has been redirected since.

    Raises:
        ReaderGone: the pipe's reader has left.
        SinkError: it cannot be written.
    """
    out = out or sys.stdout
    if out is None:
        raise SinkError("standard output is closed; open it")
    try:
        out.write(line + "\n")
        out.flush()
    except BrokenPipeError as error:
        _discard(out)
        raise ReaderGone from error
    except OSError as error:
        _discard(out)
        raise SinkError(f"standard output cannot be written ({error.strerror})") from error


def _discard(out: TextIO) -> None:
    """Keep the interpreter from flushing into a broken pipe once more when it exits."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, out.fileno())
    os.close(nowhere)

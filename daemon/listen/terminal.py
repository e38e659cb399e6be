"""Whether there is a terminal that a view can be drawn on, and with which characters."""

import locale
import os
import sys
from typing import TextIO

from digitd.daemon.errors import TerminalError

DUMB = ("", "dumb", "unknown")
"""Of TERM: terminals that only write line after line."""


def check(path: str) -> None:
    """Be sure of a terminal.

    Args:
        path: of the socket, or empty, for the remedy.

    Raises:
        TerminalError: there is none, or none that can place characters.
    """
    remedy = f"`digitd watch{' ' + path if path else ''}` prints the same line by line"
    streams: dict[str, TextIO | None] = {
        "output": sys.__stdout__,
        "input": sys.__stdin__,
        "error": sys.__stderr__,  # it is drawn there
    }
    for name, stream in streams.items():
        if stream is None or stream.closed or not stream.isatty():
            raise TerminalError(f"standard {name} is no terminal, and the view needs all three; {remedy}")
    term = os.environ.get("TERM", "")
    if term in DUMB:
        raise TerminalError(f"TERM={term}: this terminal cannot place characters; {remedy}")


def is_ascii() -> bool:
    """Whether the locale's character set lacks block characters."""
    return locale.getencoding().replace("-", "").lower() != "utf8"

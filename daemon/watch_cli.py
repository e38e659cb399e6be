"""`digitd watch` and `digitd mode`: what a running daemon's socket is good for."""

import argparse
import select
import socket
import sys
import typing
from contextlib import suppress
from pathlib import Path

from digitd.daemon.client.request import switch
from digitd.daemon.command import Command
from digitd.daemon.errors import SinkError
from digitd.daemon.follower import Follower
from digitd.daemon.ledger import Ledger
from digitd.daemon.mode import Mode
from digitd.daemon.received import Received, received
from digitd.daemon.sinks.sink import ReaderGone
from digitd.daemon.sinks.stdout import FORMATS, write_line
from digitd.daemon.usual_socket import SYSTEM_SOCKET, default_path

__all__ = ["COMMANDS", "SYSTEM_SOCKET", "default_path"]

MODES = typing.get_args(Mode)


def _add_watch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "path",
        nargs="?",
        type=Path,
        metavar="PATH",
        help="the path that `digitd run --sink unix:PATH` was given (default: $DIGITD_SOCKET, or "
        f"$XDG_RUNTIME_DIR/digitd.sock where that is there, or {SYSTEM_SOCKET})",
    )
    parser.add_argument("--once", action="store_true", help="end with the daemon, and do not wait for one")
    parser.add_argument(
        "--format",
        choices=tuple(FORMATS),
        default="jsonl",
        help="jsonl (default: every event), text (a digit a line), strings (a string of digits a line)",
    )


def _watch(arguments: argparse.Namespace) -> int:
    if sys.stdout is None:
        raise SinkError("standard output is closed; open it")
    path = arguments.path or default_path()
    with suppress(ReaderGone):
        _follow(path, arguments.once, arguments.format)
    return 0


def _follow(path: Path, once: bool, wanted: str) -> None:
    """Print what comes, and tell on standard error what does not.

    Raises:
        ReaderGone: nobody reads it any more.
        SinkError: see Follower; or something else than events comes.
    """
    ledger = Ledger()
    follower = Follower(path, once=once, wait=_wait, tell=lambda what: _tell(f"{path}: {what}"))
    for line in follower.lines():
        try:
            event = received(line)
        except SinkError as error:
            raise SinkError(f"{path}: {error}") from error
        for what in ledger.enter(event, waited=follower.waited):
            _tell(f"{event.stream}: {what}")
        text = _text(event, wanted)
        if text is not None:
            write_line(text)


def _text(event: Received, wanted: str) -> str | None:
    """What is printed of an event; all of it just as it came."""
    if wanted == "jsonl":
        return event.line
    return None if event.event is None else FORMATS[wanted](event.event)


def _tell(what: str) -> None:
    """A line on standard error, which may be closed; names in it may hold anything."""
    if sys.stderr is not None:
        with suppress(OSError):
            print("digitd:", what if what.isprintable() else ascii(what), file=sys.stderr, flush=True)


def _wait(client: socket.socket | None, for_s: float | None) -> None:
    """Wait for the daemon, but no longer than standard output has a reader.

    Raises:
        ReaderGone: it has none.
    """
    poll = select.poll()
    poll.register(sys.stdout, 0)  # errors alone
    if client is not None:
        poll.register(client, select.POLLIN)
    if any(descriptor == sys.stdout.fileno() for descriptor, _ in poll.poll(None if for_s is None else for_s * 1000)):
        raise ReaderGone


def _add_mode(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", nargs="?", type=Path, metavar="PATH", help="as of watch; may stand behind MODE too")
    parser.add_argument("mode", metavar="MODE", help="always or entry")


def _mode(arguments: argparse.Namespace) -> int:
    path, mode = arguments.path or default_path(), arguments.mode
    if str(path) in MODES and mode not in MODES:
        path, mode = Path(mode), str(path)
    switch(mode, path)
    return 0


COMMANDS = {"watch": Command(_add_watch, _watch), "mode": Command(_add_mode, _mode)}

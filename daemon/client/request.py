"""What a daemon is asked for through its socket: the other mode, and what it is."""

import json
import socket
import time
from pathlib import Path

from digitd.daemon.client.place import placed
from digitd.daemon.errors import SinkError
from digitd.daemon.events import Event, Ready
from digitd.daemon.follower import connected
from digitd.daemon.mode import Mode
from digitd.daemon.received import received

ANSWER_S = 2.0


def switch(mode: Mode | str, where: str | Path | None = None, *, within_s: float = ANSWER_S) -> None:
    """Have the daemon go by a mode from here on; returns once it does.

    Raises:
        SinkError: nobody answers, there is no such mode, or it is not on in time.
    """
    path = placed(where).path
    with connected(path) as client:
        try:
            client.sendall(json.dumps({"mode": mode}).encode() + b"\n")
            _await_mode(client, mode, within_s)
        except TimeoutError as error:
            raise SinkError(
                f"{path}: mode {mode!r} is not on after {within_s:g} s; it comes with the next audio: "
                "does the source still send?"
            ) from error
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise SinkError(f"{path}: no answer ({error}); is it `digitd run` that is there?") from error


def ready(where: str | Path | None = None, *, within_s: float = ANSWER_S) -> Event:
    """The latest `ready` of the daemon: its model, provider, source and mode.

    Raises:
        SinkError: nobody answers, or not in time.
    """
    path = placed(where).path
    with connected(path) as client, client.makefile("rb") as lines:
        client.settimeout(within_s)
        try:
            while line := lines.readline():
                event = received(line.rstrip(b"\n")).event
                if event and isinstance(event.body, Ready):
                    return event
        except OSError as error:
            raise SinkError(
                f"{path}: it does not tell what it is ({error}); is its model still being loaded?"
            ) from error
    raise SinkError(f"{path}: the daemon ended before it was ready; start it again")


def _await_mode(client: socket.socket, mode: str, within_s: float) -> None:
    """Read events until one tells that `mode` is on.

    Raises:
        SinkError: the daemon knows no such mode, or has ended.
        TimeoutError: it has not come on in time.
    """
    until_s = time.monotonic() + within_s
    with client.makefile("r", encoding="utf-8", errors="replace") as lines:
        while (left_s := until_s - time.monotonic()) > 0:
            client.settimeout(left_s)
            event = json.loads(lines.readline() or '{"type":"end"}')
            if event["type"] == "ready" and event["mode"] == mode:
                return
            if event["type"] == "error":
                raise SinkError(event["message"])
            if event["type"] == "end":
                raise SinkError(f"the daemon ended before mode {mode!r} was on; start it again")
    raise TimeoutError

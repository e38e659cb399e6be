"""The events of a daemon, for a program that runs on asyncio."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

from digitd.daemon.client import web
from digitd.daemon.client.news import News, Reading
from digitd.daemon.client.place import Place, placed
from digitd.daemon.errors import SinkError
from digitd.daemon.follower import MAX_LINE_BYTES, nobody
from digitd.daemon.outage import Outage


async def aevents(
    where: str | Path | None = None, *, token: str = "", ca_file: str | Path = "", once: bool = False
) -> AsyncGenerator[News, None]:
    """What a daemon tells, for ever: through its restarts, until the task is cancelled or the iteration closed.

    Args:
        where: `unix:PATH`, a path, ws://HOST:PORT/events, wss://...; None: where `digitd watch` looks.
        token: lets in to a WebSocket; may stand in its address (`?token=`) too.
        ca_file: certificates that vouch for a wss:// server which the system does not know.
        once: whether the daemon's end is the end, and one that is not there an error.

    Raises:
        DigitdError: no such place can be, what comes is no event, or we are refused.
    """
    place = placed(where, token, ca_file)
    reading, outage = Reading(str(place)), Outage()
    while True:
        try:
            async with aclosing(web.alines(place) if place.url else _lines(place)) as lines:
                async for line in lines:
                    if back := outage.hear():
                        yield back
                    for news in reading.news(line, waited=outage.waited):
                        yield news
            trouble = "gone"
        except OSError as error:
            trouble = _trouble(place, error, once=once)
        if once:
            return
        away, pause_s = outage.lose(trouble)
        if away:
            yield away
        await asyncio.sleep(pause_s)


async def _lines(place: Place) -> AsyncGenerator[bytes, None]:
    """Of one connection to a UNIX socket; one that breaks off is none.

    Raises:
        OSError: it cannot be made.
        SinkError: what comes is no lines.
    """
    reader, writer = await asyncio.open_unix_connection(str(place.path), limit=MAX_LINE_BYTES)
    try:
        while (line := await reader.readline()).endswith(b"\n"):
            yield line[:-1]
    except ConnectionResetError:  # by one that was killed, or has dropped a reader that did not read
        return
    except ValueError as error:  # longer than the limit
        raise SinkError(f"{place}: a line has no end; is it `digitd run` that is there?") from error
    finally:
        writer.close()


def _trouble(place: Place, error: OSError, *, once: bool) -> str:
    """Why it is not there, where it may come back.

    Raises:
        SinkError: it need not be waited for.
    """
    if place.url:
        if once and str(error) != "gone":
            raise SinkError(f"{place}: {error}") from error
        return str(error)
    if once or error.errno is None:  # of a path that is too long there is only a text
        raise nobody(place.path, error) from error
    return f"nobody answers ({error.strerror})"

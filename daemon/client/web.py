"""A WebSocket that tells events, a line of JSON a message; `websockets` is imported when one is opened."""

from collections.abc import AsyncGenerator, Callable, Iterator
from typing import TYPE_CHECKING, Any

from digitd.daemon.client.place import Place
from digitd.daemon.errors import SinkError
from digitd.daemon.follower import MAX_LINE_BYTES

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

OPEN_S = 5.0
PASSING = (408, 425, 429)
"""Statuses of a refusal that pass by themselves, beside a server's own troubles (5xx)."""


def lines(place: Place, hold: Callable[["ClientConnection"], None]) -> Iterator[bytes]:
    """The messages of one connection; `hold` is given it, to break it off from another thread.

    Raises:
        ConnectionError: it cannot be made, or has broken.
        SinkError: we are refused.
    """
    from websockets.exceptions import WebSocketException
    from websockets.sync.client import connect

    try:
        with connect(place.url, **_how(place)) as connection:
            hold(connection)
            for message in connection:
                yield message.encode() if isinstance(message, str) else message
    except (WebSocketException, OSError) as error:
        raise _trouble(place, error) from error


async def alines(place: Place) -> AsyncGenerator[bytes, None]:
    """The same for asyncio.

    Raises:
        ConnectionError, SinkError: as `lines`.
    """
    from websockets.asyncio.client import connect
    from websockets.exceptions import WebSocketException

    try:
        async with connect(place.url, **_how(place)) as connection:
            async for message in connection:
                yield message.encode() if isinstance(message, str) else message
    except (WebSocketException, OSError) as error:
        raise _trouble(place, error) from error


def _how(place: Place) -> dict[str, Any]:
    return {
        "additional_headers": place.headers,
        "ssl": place.encryption,
        "open_timeout": OPEN_S,
        "max_size": MAX_LINE_BYTES,
        "proxy": None if place.is_near else True,
    }


def _trouble(place: Place, error: Exception) -> Exception:
    """A failure as one that passes, or one that somebody has to mend."""
    import ssl

    from websockets.exceptions import ConnectionClosed, InvalidStatus, InvalidURI

    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        if status < 500 and status not in PASSING:
            return SinkError(f"{place}: it refuses us ({status}); is the address right, and the token?")
        return ConnectionError(f"it refuses us ({status})")
    if isinstance(error, InvalidURI):
        return SinkError(f"{place}: {error}; give ws://HOST:PORT/events")
    if isinstance(error, ssl.SSLCertVerificationError):
        return SinkError(f"{place}: its certificate is not trusted ({error.verify_message}); name the authority's")
    if isinstance(error, ConnectionClosed):
        return ConnectionError("gone")
    why = error.strerror if isinstance(error, OSError) else None
    return ConnectionError(f"nobody answers ({why or str(error) or 'not in time'})")

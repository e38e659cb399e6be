"""How a connection is left: told why, then closed with that reason."""

import logging

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

from digitd.daemon.errors import ConfigError
from digitd.daemon.request import refusal

MAX_REASON_BYTES = 123
"""Of a closing frame (RFC 6455, 5.5)."""

logger = logging.getLogger(__name__)


async def dismiss(connection: ServerConnection, code: CloseCode, why: str, words: bytes = b"") -> None:
    """Tell a page why, as an `error` like a socket's or in other `words`, and close its connection with that reason."""
    logger.info("a connection is closed: %s", why)
    try:
        await connection.send((words or refusal(ConfigError(why))).decode().rstrip())
    except ConnectionClosed:
        return
    await connection.close(code, reason(why))


def reason(why: str) -> str:
    """As much of it as a closing frame takes."""
    return why.encode()[:MAX_REASON_BYTES].decode(errors="ignore")

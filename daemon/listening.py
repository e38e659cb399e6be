"""A socket of TCP that clients come to."""

import os
import socket

from digitd.daemon.errors import SinkError

BACKLOG = 128
"""So many may knock at the same moment."""


def printed(host: str, port: int) -> str:
    """`HOST:PORT`, as addresses are written."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def listener(host: str, port: int, flag: str, backlog: int = BACKLOG) -> socket.socket:
    """A socket that listens at an address; `::` is for IPv4 too.

    Args:
        host: an IP address.
        port: 0: any that is free.
        flag: that named it, for the message.
        backlog: so many may knock at the same moment.

    Raises:
        SinkError: it cannot be had.
    """
    family, both = socket.AF_INET6 if ":" in host else socket.AF_INET, host == "::"
    try:
        listening = socket.create_server((host, port), family=family, backlog=backlog, dualstack_ipv6=both)
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise SinkError(
            f"{flag} {printed(host, port)}: it cannot be listened on ({why}); name another, or 0 for any"
        ) from error
    # What is written in pieces would wait for the one before to be acknowledged, 40 ms. asyncio sees to that only where
    # a socket knows its protocol, which those of create_server do not. Who is accepted inherits it.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening

"""Where the gateway listens."""

import ipaddress
import os
import socket
from dataclasses import dataclass

from digitd.daemon.errors import ConfigError, SinkError
from digitd.daemon.gateway.door import BACKLOG
from digitd.daemon.loopback import is_loopback

SEND_BUFFER_BYTES = 64 * 1024
"""Of each connection: what a listener leaves unread is seen here, and does not fill megabytes of the kernel's."""


@dataclass(frozen=True)
class Address:
    """An address of this machine, and a port."""

    host: str
    port: int
    """0: any that is free."""

    @property
    def is_near(self) -> bool:
        """Whether only programs of this machine reach it."""
        return is_loopback(self.host)

    def listener(self) -> socket.socket:
        """A socket that listens there.

        Raises:
            SinkError: it cannot be had.
        """
        family, both = socket.AF_INET6 if ":" in self.host else socket.AF_INET, self.host == "::"
        try:
            listener = socket.create_server((self.host, self.port), family=family, backlog=BACKLOG, dualstack_ipv6=both)
        except OSError as error:
            why = os.strerror(error.errno or 0)
            raise SinkError(f"--listen {self}: it cannot be listened on ({why}); name another, or port 0") from error
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # asyncio forgets it where a socket is given
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)  # those who come have it of it
        return listener

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def address(text: str) -> Address:
    """What `127.0.0.1:8320`, `localhost:8320` or `[::]:8320` means.

    Raises:
        ConfigError: it is none of these.
    """
    host, _, port = text.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        parsed = ipaddress.ip_address("127.0.0.1" if host == "localhost" else bare)
        if (parsed.version == 6) == (bare != host) and port.isascii() and port.isdecimal() and int(port) <= 65535:
            return Address(str(parsed), int(port))
    except ValueError:
        pass
    raise ConfigError(f"--listen {text!r:.100}: no address and port; give 127.0.0.1:8320, 0.0.0.0:8320 or [::]:8320")


def bound_to(listener: socket.socket) -> Address:
    """Where a socket listens, with the port that it got."""
    host, port = listener.getsockname()[:2]
    return Address(host, port)

"""Where the gateway listens."""

import ipaddress
import socket
from dataclasses import dataclass

from digitd.daemon.errors import ConfigError
from digitd.daemon.gateway.door import BACKLOG
from digitd.daemon.listening import listener, printed
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
        listening = listener(self.host, self.port, "--listen", BACKLOG)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)  # those who come have it of it
        return listening

    def __str__(self) -> str:
        return printed(self.host, self.port)


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


def bound_to(listening: socket.socket) -> Address:
    """Where a socket listens, with the port that it got."""
    host, port = listening.getsockname()[:2]
    return Address(host, port)

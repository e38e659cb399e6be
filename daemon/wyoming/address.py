"""`tcp://HOST:PORT` or `unix://PATH` -> a socket that clients can come to, this machine's unless others are wanted."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from digitd.daemon.errors import ConfigError, SinkError
from digitd.daemon.listening import listener, printed
from digitd.daemon.loopback import is_loopback
from digitd.daemon.sinks.unix_socket import listen

SHAPE = "give tcp://HOST:PORT or unix:///PATH"


@dataclass(frozen=True)
class Address:
    """Where clients come to: a path, or a host and a port."""

    host: str = ""
    port: int = 0
    """0: any that is free."""
    path: Path | None = None

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix://{self.path}"
        return f"tcp://{printed(self.host, self.port)}"

    @property
    def is_near(self) -> bool:
        """Whether only this machine reaches it."""
        return self.path is not None or is_loopback(self.host)


def addressed(uri: str) -> Address:
    """The address that is meant.

    Raises:
        ConfigError: none is.
    """
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ConfigError(f"--uri {uri}: {error}; {SHAPE}") from error
    if parts.scheme == "unix" and parts.path and not host:
        return Address(path=Path(parts.path))
    if parts.scheme == "tcp" and host and port is not None and not (parts.path or parts.query or parts.username):
        return Address(host, port)
    raise ConfigError(f"--uri {uri}: no address of a service; {SHAPE}")


def bound(address: Address, *, anyone: bool) -> socket.socket:
    """A listening socket.

    Raises:
        ConfigError: other machines could reach it, and `anyone` is not meant.
        SinkError: it cannot be had.
    """
    if address.path is not None:
        return listen(address.path)
    if not (anyone or address.is_near):
        raise ConfigError(
            f"--uri {address}: not loopback, and Wyoming has neither encryption nor password; whoever reaches it there "
            "could use it. If that is meant, add --anyone"
        )
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError, OverflowError) as error:
        raise SinkError(f"--uri {address}: no such host ({error}); name another") from error
    return listener(str(found[0][4][0]), address.port, "--uri")


def local(listening: socket.socket) -> Address:
    """Where a socket really listens, its port told."""
    name = listening.getsockname()
    return Address(path=Path(name)) if isinstance(name, str) else Address(name[0], name[1])


@contextmanager
def listening(address: Address, *, anyone: bool) -> Iterator[socket.socket]:
    """The same, closed in the end; its path is removed, unless another process has taken that since.

    Raises:
        DigitdError: as `bound`.
    """
    with bound(address, anyone=anyone) as service:
        inode = address.path.stat().st_ino if address.path else 0
        yield service
    if address.path:
        with suppress(FileNotFoundError):
            if address.path.stat().st_ino == inode:
                address.path.unlink()

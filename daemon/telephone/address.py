"""Where calls come in: an address and a port, or many."""

import ipaddress
import os
import socket
from dataclasses import dataclass
from typing import Literal

from digitd.daemon.errors import ConfigError, SinkError

MAX_PORTS = 500
"""Each is a descriptor; 250 calls are more than one daemon hears."""
LARGEST_PORT = 65535
Kind = Literal["udp", "tcp"]


@dataclass(frozen=True)
class Address:
    """`HOST:PORT` or `HOST:FIRST-LAST`."""

    host: str
    ports: range

    @property
    def is_near(self) -> bool:
        """Whether nobody but this machine reaches it."""
        return ipaddress.ip_address(self.host).is_loopback


def addressed(text: str, *, anyone: bool, most: int = MAX_PORTS) -> Address:
    """What `text` names.

    Raises:
        ConfigError: it is no address, other machines reach it though `anyone` may not, or has more than `most` ports.
    """
    host, colon, ports = text.rpartition(":")
    first, dash, last = ports.partition("-")
    try:
        ip = str(ipaddress.ip_address("127.0.0.1" if host == "localhost" else host.removeprefix("[").removesuffix("]")))
        address = Address(ip, range(int(first), int(last if dash else first) + 1))
    except ValueError as error:
        raise ConfigError(
            f"{text!r} is no address; write it like 127.0.0.1:4000, [::1]:4000 or with a range"
        ) from error
    if not (colon and 0 <= address.ports.start < address.ports.stop <= LARGEST_PORT + 1):
        raise ConfigError(f"{text!r}: ports lie from 0 to {LARGEST_PORT}, the first of a range first")
    if len(address.ports) > most:
        raise ConfigError(f"{text!r}: {len(address.ports)} ports are more than {most}")
    if not (anyone or address.is_near):
        raise ConfigError(
            f"{text!r} can be reached by other machines, unencrypted and without a password; keep to 127.0.0.1, or "
            "give --anyone where the network is your own"
        )
    return address


def opened(host: str, port: int, kind: Kind) -> socket.socket:
    """A socket at a port.

    Raises:
        SinkError: it cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        if kind == "tcp":
            listener = socket.create_server((host, port), family=family)
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # asyncio forgets it where a socket is given
            return listener
        heard = socket.socket(family, socket.SOCK_DGRAM)
        try:
            heard.bind((host, port))
        except OSError:
            heard.close()
            raise
        return heard
    except OSError as error:
        raise SinkError(
            f"{host}:{port}/{kind} cannot be listened on ({os.strerror(error.errno or 0)}); name another"
        ) from error

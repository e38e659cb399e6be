"""Where calls come in: an address and a port, or many."""

import ipaddress
import os
import socket
from dataclasses import dataclass

from digitd.daemon.errors import ConfigError, SinkError
from digitd.daemon.listening import printed
from digitd.daemon.loopback import is_loopback

MAX_PORTS = 500
"""Each is a descriptor; 250 calls are more than one daemon hears."""
LARGEST_PORT = 65535


@dataclass(frozen=True)
class Address:
    """`HOST:PORT` or `HOST:FIRST-LAST`."""

    host: str
    ports: range

    @property
    def is_near(self) -> bool:
        """Whether nobody but this machine reaches it."""
        return is_loopback(self.host)


def addressed(text: str, *, anyone: bool, most: int = MAX_PORTS) -> Address:
    """What `text` names.

    Raises:
        ConfigError: it is no address, other machines reach it though `anyone` may not, or has more than `most` ports.
    """
    host, colon, ports = text.rpartition(":")
    first, dash, last = ports.partition("-")
    try:
        ip = str(ipaddress.ip_address("127.0.0.1" if host == "localhost" else host.removeprefix("[").removesuffix("]")))
        address = Address(ip, range(_port(first), _port(last if dash else first) + 1))
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


def _port(text: str) -> int:
    """Raises ValueError where it is anything but digits, such as 4_000 or +4000."""
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(f"{text!r} is no port")
    return int(text)


def datagrams(host: str, port: int) -> socket.socket:
    """A socket of UDP at a port.

    Raises:
        SinkError: it cannot be had.
    """
    heard = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        heard.bind((host, port))
    except OSError as error:
        heard.close()
        why = os.strerror(error.errno or 0)
        raise SinkError(f"--rtp {printed(host, port)}: it cannot be listened on ({why}); name another") from error
    return heard

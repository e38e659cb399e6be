"""Asks PulseAudio, or PipeWire in its place, who it is: one that is frozen takes connections too, but answers none."""

import os
import re
import socket
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ANSWER_S = 2.0
VERSION = 12
"""Of the protocol: the last one in which a client has a plain name. Servers speak 8 to 35."""
COOKIE_BYTES = 256
MAX_REPLY_BYTES = 64 * 1024

_DESCRIPTOR = struct.Struct(">IIIII")
_NO_CHANNEL = 0xFFFFFFFF
_REPLY, _AUTH, _SET_CLIENT_NAME, _GET_SERVER_INFO = 2, 8, 9, 20
_SAMPLE_SPEC_BYTES = 7


@dataclass(frozen=True)
class Server:
    """An audio server, or that there is none."""

    state: Literal["answers", "frozen", "refuses", "remote", "absent"]
    address: str
    """Where it is; of one that is absent, where it was looked for."""
    name: str = ""
    """As it calls itself, with its version."""
    microphone: str = ""
    """The default one, as it calls it."""
    trouble: str = ""
    """Why it refuses."""


def find(environment: Mapping[str, str]) -> Server:
    """The first server that is there, where libpulse looks for one."""
    tried = []
    for address in _addresses(environment):
        if not address.startswith("/"):
            return Server("remote", address)
        server = _asked(address, environment)
        if server.state != "absent":
            return server
        tried.append(address)
    return Server("absent", ", ".join(tried))


def _addresses(environment: Mapping[str, str]) -> Iterator[str]:
    """Paths of sockets; of a server elsewhere whatever names it."""
    if named := environment.get("PULSE_SERVER"):
        for word in named.split():
            yield re.sub(r"^(\{.*\})?(unix:)?", "", word)
        return
    if folder := environment.get("PULSE_RUNTIME_PATH"):
        yield f"{folder}/native"
    if folder := environment.get("XDG_RUNTIME_DIR"):
        yield f"{folder}/pulse/native"
    yield "/run/pulse/native"  # of a server of the whole system


def _asked(path: str, environment: Mapping[str, str]) -> Server:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(ANSWER_S)
        try:
            client.connect(path)
            name, microphone = _introduced(client, _cookie(environment))
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
            return Server("absent", path)
        except (TimeoutError, BlockingIOError):
            return Server("frozen", path)
        except (OSError, struct.error) as error:
            return Server("refuses", path, trouble=getattr(error, "strerror", None) or str(error))
    return Server("answers", path, name, microphone)


def _introduced(client: socket.socket, cookie: bytes) -> tuple[str, str]:
    """(name, default microphone) of the server."""
    _ask(client, _AUTH, _number(VERSION) + b"x" + struct.pack(">I", len(cookie)) + cookie)
    _ask(client, _SET_CLIENT_NAME, _text("digitd doctor"))
    told = _ask(client, _GET_SERVER_INFO)
    *about, told = _texts(told, 4)  # its name, its version, its user, its machine
    _, microphone, _ = _texts(told[_SAMPLE_SPEC_BYTES:], 2)
    return f"{about[0].decode(errors='replace')} {about[1].decode(errors='replace')}", microphone.decode(
        errors="replace"
    )


def _ask(client: socket.socket, command: int, arguments: bytes = b"") -> bytes:
    """The server's answer; the tag of a question is its command, since each is asked once.

    Raises:
        PermissionError: it answers with an error.
        OSError: it hangs up, or speaks another protocol.
        TimeoutError: it does not answer.
    """
    question = _number(command) + _number(command) + arguments
    client.sendall(_DESCRIPTOR.pack(len(question), _NO_CHANNEL, 0, 0, 0) + question)
    length_bytes, *_ = _DESCRIPTOR.unpack(_exactly(client, _DESCRIPTOR.size))
    if length_bytes > MAX_REPLY_BYTES:
        raise ConnectionError("it is no PulseAudio")
    reply = _exactly(client, length_bytes)
    _, kind, _, tag = struct.unpack_from(">cIcI", reply)
    if tag != command:
        raise ConnectionError("it is no PulseAudio")
    if kind != _REPLY:
        raise PermissionError("it lets only its own user in")
    return reply[10:]


def _exactly(client: socket.socket, n_bytes: int) -> bytes:
    received = b""
    while len(received) < n_bytes:
        more = client.recv(n_bytes - len(received))
        if not more:
            raise ConnectionError("it hangs up")
        received += more
    return received


def _number(value: int) -> bytes:
    return b"L" + struct.pack(">I", value)


def _text(value: str) -> bytes:
    return b"t" + value.encode() + b"\0"


def _texts(told: bytes, count: int) -> list[bytes]:
    """So many texts, some of which may be none (`N`), and what follows them."""
    texts = []
    for _ in range(count):
        kind, told = told[:1], told[1:]
        text, _, told = told.partition(b"\0") if kind == b"t" else (b"", b"", told)
        texts.append(text)
    return [*texts, told]


def _cookie(environment: Mapping[str, str]) -> bytes:
    """What lets in whom the server does not know by the user; without one, zeros are sent."""
    named = environment.get("PULSE_COOKIE") or f"{environment.get('HOME', '')}/.config/pulse/cookie"
    try:
        cookie = Path(named).read_bytes()[:COOKIE_BYTES] if os.access(named, os.R_OK) else b""
    except OSError:  # a folder
        cookie = b""
    return cookie.ljust(COOKIE_BYTES, b"\0")

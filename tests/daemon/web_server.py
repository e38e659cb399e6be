"""`digitd web` as a process, and a client of its sockets that is no browser."""

import json
import os
import signal
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from tests.daemon.conftest import COMMAND
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from digitd.daemon.audio import Samples

WITHIN_S = 20.0


@dataclass(frozen=True)
class Answer:
    """To a request."""

    status: int
    headers: Message
    text: str


class Web:
    """The server, its address, and its log once it has ended."""

    def __init__(self, *flags: str, **environment: str) -> None:
        command, pipe = [*COMMAND, "web", "--port", "0", *flags], subprocess.PIPE
        self.process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=pipe, env={**os.environ, **environment}
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().decode().strip()
        self.host, self.query = urlsplit(self.url).netloc, urlsplit(self.url).query

    def get(self, path: str, **headers: str) -> Answer:
        """What a browser gets."""
        client = HTTPConnection(self.host, timeout=WITHIN_S)
        client.request("GET", path, headers=headers)
        answer = client.getresponse()
        text = answer.read().decode()
        client.close()
        return Answer(answer.status, answer.headers, text)

    def socket(self, path: str = "/speak", **changed: Any) -> ClientConnection:
        """A connection as the page makes one, but for what is `changed`."""
        given: dict[str, Any] = {"query": self.query, "origin": f"http://{self.host}", **changed}
        query = given.pop("query")
        made: ClientConnection = connect(
            f"ws://{self.host}{path}?{query}", open_timeout=WITHIN_S, compression=None, **given
        )
        return made

    @contextmanager
    def speaking(self, **opening: Any) -> Iterator[ClientConnection]:
        """A speaker who has been let in."""
        with self.socket() as client:
            client.send(json.dumps({"rate_hz": 16000, **opening}))
            assert json.loads(client.recv(WITHIN_S))["type"] == "ready"
            yield client

    def end(self, number: signal.Signals = signal.SIGTERM) -> str:
        """End it; its log."""
        self.process.send_signal(number)
        _, log = self.process.communicate(timeout=WITHIN_S)
        assert self.process.returncode == 0, log
        return log.decode()

    def close(self) -> None:
        """Kill it if it still runs."""
        self.process.kill()
        self.process.communicate()


def pcm16(samples: Samples) -> bytes:
    """Little-endian s16."""
    return np.round(samples * 32767).astype("<i2").tobytes()


def say(client: ClientConnection, raw: bytes, piece_bytes: int) -> None:
    """Send samples in pieces."""
    for start in range(0, len(raw), piece_bytes):
        client.send(raw[start : start + piece_bytes])


def told(client: ClientConnection) -> list[dict[str, Any]]:
    """All events until the server closes, without glimpses; and with them nothing that differs from time to time."""
    events = []
    try:
        while True:
            event = json.loads(client.recv(WITHIN_S))
            event.pop("time", None)
            if event["type"] != "glimpse":
                events.append(event)
    except ConnectionClosed:
        return events


def digits(events: Iterable[dict[str, Any]]) -> str:
    """Of events, the digits."""
    return "".join(event["digit"] for event in events if event["type"] == "digit")

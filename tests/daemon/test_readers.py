"""Many readers of one socket: one asleep, one killed again and again, and nothing lost for the rest."""

import json
import select
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import DEMO_DIGITS
from tests.daemon.conftest import COMMAND

from digitd.daemon.audio import Samples


class Reader:
    """Follows a socket; takes what is there when it is asked to."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self._rest = b""
        self.events: list[dict[str, object]] = []

    def take(self) -> bool:
        """False at the end."""
        read = self.socket.recv(65536)
        *lines, self._rest = (self._rest + read).split(b"\n")
        self.events += [json.loads(line) for line in lines]
        return bool(read)


def follow(daemon: "subprocess.Popen[bytes]", path: Path, n_readers: int, pcm: bytes) -> list[Reader]:
    """Feed the daemon and let all read; one more sleeps, and one is killed and replaced every half second."""
    assert daemon.stdin is not None
    readers = [Reader(path) for _ in range(n_readers)]
    asleep, killed, killed_s = Reader(path), Reader(path), time.monotonic()
    following = {reader.socket.fileno(): reader for reader in readers}
    pieces = [pcm[begin : begin + 3200] for begin in range(0, len(pcm), 3200)]
    while following:
        if pieces:
            daemon.stdin.write(pieces.pop(0))
        elif not daemon.stdin.closed:
            daemon.stdin.close()
        for descriptor in select.select(list(following), [], [], 0.01)[0]:
            if not following[descriptor].take():
                following.pop(descriptor).socket.close()
        if pieces and time.monotonic() - killed_s > 0.5:
            killed.socket.close()
            killed, killed_s = Reader(path), time.monotonic()
    asleep.socket.close()
    killed.socket.close()
    return readers


def lose_nothing(path: Path, demo: Samples, n_readers: int, n_times: int) -> None:
    command = [*COMMAND, "run", "--source", "-", "--sink", f"unix:{path}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, bufsize=0) as daemon:
        while not path.exists():
            time.sleep(0.02)
        pcm = np.round(np.tile(demo, n_times) * 32768).astype("<i2").tobytes()
        readers = follow(daemon, path, n_readers, pcm)
    assert daemon.returncode == 0
    first = readers[0].events
    assert "".join(str(event["digit"]) for event in first if event["type"] == "digit") == n_times * DEMO_DIGITS
    assert [event["seq"] for event in first] == list(range(len(first)))
    assert all(reader.events == first for reader in readers)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s"


def test_fifty_readers(path: Path, demo: Samples) -> None:
    lose_nothing(path, demo, n_readers=50, n_times=4)


@pytest.mark.slow
def test_five_hundred_readers(path: Path, demo: Samples, raised_descriptor_limit: Callable[[int], None]) -> None:
    raised_descriptor_limit(2048)
    lose_nothing(path, demo, n_readers=500, n_times=20)


@pytest.fixture
def raised_descriptor_limit() -> Callable[[int], None]:
    """Lets this process and the daemon open so many files."""
    import resource

    def allow(count: int) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < count:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))

    return allow

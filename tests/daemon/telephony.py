"""What the tests of telephony share: `digitd telephone` as a process, and those who call it."""

import heapq
import io
import json
import os
import random
import re
import select
import socket
import struct
import subprocess
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from tests.conftest import DEMO
from tests.daemon.conftest import COMMAND, Daemon

from digitd.daemon.telephone.audiosocket_frame import HANG_UP, RATES_HZ, UUID, Frame
from digitd.daemon.telephone.g711 import RATE_HZ
from digitd.daemon.telephone.rtp_packet import BYE

WITHIN_S = 30.0
FRAME_S = 0.02
RTP_SAMPLES = 160


def demo_at(rate_hz: int) -> NDArray[np.int16]:
    """The demo at another rate."""
    samples, demo_hz = soundfile.read(DEMO)
    resampled: NDArray[np.float64] = soxr.resample(samples, demo_hz, rate_hz)
    return np.round(32767 * np.clip(resampled, -1, 1)).astype(np.int16)


def free_ports(n_ports: int, kind: socket.SocketKind = socket.SOCK_DGRAM) -> int:
    """The first of some ports in a row that nobody has."""
    while True:
        with socket.socket(type=kind) as first:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            try:
                for number in range(port + 1, port + n_ports):
                    with socket.socket(type=kind) as other:
                        other.bind(("127.0.0.1", number))
            except (OSError, OverflowError):
                continue
            return port


class Telephone:
    """`digitd telephone --print`, its log and its events."""

    def __init__(self, path: Path, *flags: str) -> None:
        pipe = subprocess.PIPE
        command = [*COMMAND, "telephone", str(path), "--print", "--log-level", "info", *flags]
        self.process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True)
        self.log: list[str] = []
        self._events: list[dict[str, Any]] = []
        self._reading = threading.Thread(target=self._read)
        self._reading.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        self.log.extend(iter(self.process.stderr.readline, ""))

    def logged(self, pattern: str) -> re.Match[str]:
        """The first line of the log with a pattern, once it is there."""
        until_s = time.monotonic() + WITHIN_S
        while time.monotonic() < until_s:
            for line in list(self.log):
                if match := re.search(pattern, line):
                    return match
            time.sleep(0.01)
        raise AssertionError(f"{pattern!r} is not in {self.log}")

    def port(self) -> int:
        """Of AudioSocket."""
        return int(self.logged(r"AudioSocket [^,]+:(\d+)")[1])

    def event(self, within_s: float = WITHIN_S) -> dict[str, Any]:
        """The next event of any call."""
        assert self.process.stdout is not None
        assert select.select([self.process.stdout], [], [], within_s)[0], f"no event came: {self.log}"
        event: dict[str, Any] = json.loads(line_of(self.process.stdout.fileno()))
        return event

    def call(self, stream: str) -> list[dict[str, Any]]:
        """All events of a call, up to its end; those of others wait."""
        while not any(event["stream"] == stream and event["type"] == "end" for event in self._events):
            self._events.append(self.event())
        heard = [event for event in self._events if event["stream"] == stream]
        self._events = [event for event in self._events if event["stream"] != stream]
        return heard

    def stop(self) -> None:
        """End it by SIGTERM, as systemd does."""
        self.process.terminate()
        self.finish()

    def finish(self) -> None:
        """Its good end."""
        assert self.process.wait(WITHIN_S) == 0, self.log
        self._reading.join()

    def close(self) -> None:
        """Kill it if it still runs."""
        self.process.kill()
        self.process.wait()
        self._reading.join()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()


def said(events: list[dict[str, Any]]) -> str:
    """The digits among them."""
    return "".join(event["digit"] for event in events if event["type"] == "digit")


def line_of(descriptor: int) -> bytes:
    """One line, without reading ahead of it: `select` sees what is left."""
    line = b""
    while not line.endswith(b"\n") and (byte := os.read(descriptor, 1)):
        line += byte
    return line


class Asterisk:
    """One call, as `app_audiosocket` makes it; what comes back is read all the while."""

    def __init__(self, port: int, kind: int = 0x10, name: uuid.UUID | None = None) -> None:
        self.name, self.kind = name or uuid.uuid4(), kind
        self.came: list[Frame] = []
        self.socket = socket.create_connection(("127.0.0.1", port), WITHIN_S)
        self._reading = threading.Thread(target=self._read)
        self._reading.start()
        with suppress(ConnectionError):  # hung up on already, where there is no place
            self.send(Frame(UUID, self.name.bytes))

    def _read(self) -> None:
        with self.socket.makefile("rb") as stream:
            try:
                while head := stream.read(3):
                    self.came.append(Frame(head[0], stream.read(int.from_bytes(head[1:], "big"))))
            except OSError:  # a connection that is reset has ended too
                return

    def send(self, frame: Frame) -> None:
        """One frame."""
        self.socket.sendall(bytes(frame))

    def say(self, samples: NDArray[np.int16], pace: Literal["at once", "real time"] = "at once") -> None:
        """Frames of 20 ms."""
        step, began_s = int(RATES_HZ[self.kind] * FRAME_S), time.monotonic()
        for n, at in enumerate(range(0, len(samples), step)):
            if pace == "real time":
                time.sleep(max(0.0, began_s + n * FRAME_S - time.monotonic()))
            self.send(Frame(self.kind, samples[at : at + step].astype("<i2").tobytes()))

    def wait(self, n_frames: int) -> None:
        """Until so many frames came back."""
        until_s = time.monotonic() + WITHIN_S
        while len(self.came) < n_frames:
            assert time.monotonic() < until_s, len(self.came)
            time.sleep(0.01)

    def hang_up(self) -> None:
        """The caller has gone."""
        self.send(Frame(HANG_UP))

    def finished(self) -> list[Frame]:
        """All that came back, once the other side has closed."""
        self._reading.join(WITHIN_S)
        assert not self._reading.is_alive(), "it does not hang up"
        self.socket.close()
        return self.came

    @property
    def stream(self) -> str:
        """Its stream's name."""
        return str(self.name)

    def close(self) -> None:
        """Break off."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self._reading.join()
        self.socket.close()


def begun(path: Path, *flags: str) -> Daemon:
    """A daemon that can be called."""
    daemon, until_s = Daemon(*flags, source=f"unix:{path}"), time.monotonic() + WITHIN_S
    while not path.exists():
        assert time.monotonic() < until_s
        time.sleep(0.01)
    return daemon


class Talker:
    """One SSRC of RTP, as a telephone sends it: packets of 20 ms at their time."""

    def __init__(self, port: int, ssrc: int, payload_type: int = 0) -> None:
        self.ssrc, self.payload_type = ssrc, payload_type
        self.sequence, self.timestamp = 65500, 0xFFFFFFFF - 4000  # both wrap soon
        self._port, self._due_s = port, time.monotonic()
        self._socket = socket.socket(type=socket.SOCK_DGRAM)

    def packet(self, payload: bytes, payload_type: int | None = None, *, marker: bool = False) -> bytes:
        """The next; its sequence number is used up."""
        kind = (self.payload_type if payload_type is None else payload_type) | 0x80 * marker
        head = struct.pack(">BBHII", 0x80, kind, self.sequence & 0xFFFF, self.timestamp & 0xFFFFFFFF, self.ssrc)
        self.sequence += 1
        return head + payload

    def say(self, samples: NDArray[np.int16]) -> None:
        """Some sound."""
        coded = coded_g711(samples, "ALAW" if self.payload_type else "ULAW")
        for at in range(0, len(coded), RTP_SAMPLES):
            self.wait(RTP_SAMPLES)
            self.send(self.packet(coded[at : at + RTP_SAMPLES], marker=at == 0))
            self.timestamp += RTP_SAMPLES

    def wait(self, n_samples: int) -> None:
        """Until it is time for what follows so many samples."""
        self._due_s += n_samples / RATE_HZ
        time.sleep(max(0.0, self._due_s - time.monotonic()))

    def pause(self, n_samples: int) -> None:
        """Send nothing while time goes on."""
        self.wait(n_samples)
        self.timestamp += n_samples

    def send(self, datagram: bytes) -> None:
        """One datagram."""
        self._socket.sendto(datagram, ("127.0.0.1", self._port))

    def leave(self, port: int) -> None:
        """RTCP BYE."""
        self._socket.sendto(struct.pack(">BBHI", 0x81, BYE, 1, self.ssrc), ("127.0.0.1", port))

    def close(self) -> None:
        """Send nothing more."""
        self._socket.close()


def coded_g711(samples: NDArray[np.int16], subtype: str) -> bytes:
    """A byte a sample."""
    raw = io.BytesIO()
    soundfile.write(raw, samples, RATE_HZ, subtype, format="RAW")
    return raw.getvalue()


@dataclass(frozen=True)
class Way:
    """What happens to packets on it."""

    loss: float = 0.0
    """How many are lost, of 1."""
    doubles: float = 0.0
    """How many come twice."""
    latest_s: float = 0.0
    """They take from none to so long, whatever the others take."""


class Relay:
    """A way from one port to another that is as bad as it is told to be."""

    def __init__(self, way: Way, to_port: int) -> None:
        self.n_lost = self.n_overtaken = 0
        self._way, self._to = way, ("127.0.0.1", to_port)
        self._socket = socket.socket(type=socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        chance, due, n_came, sent = random.Random(0), list[tuple[float, int, bytes]](), 0, 0  # noqa: S311
        while not self._over.is_set() or due:
            ready = select.select([self._socket], [], [], 0.002)[0]
            if ready:
                datagram, now_s = self._socket.recv(4096), time.monotonic()
                n_came += 1
                for _ in range(1 + (chance.random() < self._way.doubles)):
                    if chance.random() < self._way.loss:
                        self.n_lost += 1
                    else:
                        heapq.heappush(due, (now_s + chance.uniform(0, self._way.latest_s), n_came, datagram))
            while due and due[0][0] <= time.monotonic():
                _, number, datagram = heapq.heappop(due)
                self.n_overtaken += number < sent
                sent = number
                self._socket.sendto(datagram, self._to)

    def close(self) -> None:
        """No more comes through."""
        self._over.set()
        self._thread.join()
        self._socket.close()

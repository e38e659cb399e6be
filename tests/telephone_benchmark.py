"""What telephony adds: `python -m tests.telephone_benchmark [CALLS [TURNS]]`.

The demo is said at real time, 8 kHz, straight to the audio socket, over AudioSocket and over RTP; alone, and in many
calls that all send and speak by turns, a few at once. It prints how long after the samples that decided a digit were
sent the daemon had printed its event.
"""

import json
import socket
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from functools import cache
from pathlib import Path

import numpy as np
from tests.conftest import DEMO_DIGITS
from tests.daemon.conftest import Daemon
from tests.daemon.telephony import FRAME_S, RTP_SAMPLES, Talker, Telephone, begun, coded_g711, demo_at, free_ports

from digitd.daemon.telephone.audiosocket_frame import UUID, Frame

TURNS = 12
"""The demo so many times: a minute and a half."""
BEGIN_EVERY_FRAMES = 6
"""A call each 0.12 s: the daemon lets callers in by and by."""
SPEAKERS = 4
"""So many at once, of many calls."""

Send = Callable[[int, bytes], None]
"""The samples of one frame, and its number."""
Open = Callable[[ExitStack, int], tuple[str, Send]]
"""The n-th call: its stream's name, and what sends its frames."""


def straight(path: Path) -> Open:
    """To the audio socket."""

    def call(stack: ExitStack, n: int) -> tuple[str, Send]:
        connection = stack.enter_context(socket.socket(socket.AF_UNIX))
        connection.connect(str(path))
        name = f"straight-{n}-{time.monotonic_ns()}"
        connection.sendall(json.dumps({"stream": name, "rate_hz": 8000, "mode": "entry"}).encode() + b"\n")
        return name, lambda _, frame: connection.sendall(frame)

    return call


def audiosocket(port: int) -> Open:
    """As Asterisk does."""

    def call(stack: ExitStack, _: int) -> tuple[str, Send]:
        connection, name = stack.enter_context(socket.create_connection(("127.0.0.1", port))), uuid.uuid4()
        connection.sendall(bytes(Frame(UUID, name.bytes)))

        def send(_: int, frame: bytes) -> None:
            connection.sendall(bytes(Frame(0x10, frame)))
            with suppress(BlockingIOError):
                connection.recv(1 << 16, socket.MSG_DONTWAIT)

        return str(name), send

    return call


def rtp(first_port: int) -> Open:
    """A port each."""

    def call(stack: ExitStack, n: int) -> tuple[str, Send]:
        port, ssrc = first_port + 2 * n, time.monotonic_ns() & 0xFFFFFFFF
        talker = stack.enter_context(closing(Talker(port, ssrc)))

        def send(number: int, frame: bytes) -> None:
            talker.timestamp = number * RTP_SAMPLES
            talker.send(talker.packet(coded(frame)))

        return f"rtp-{port}-{ssrc:08x}", send

    return call


@cache
def coded(frame: bytes) -> bytes:
    """In G.711, each frame once: the sender must not be what is slow."""
    return coded_g711(np.frombuffer(frame, "<i2"), "ULAW")


class Printed:
    """The daemon's events as they come."""

    def __init__(self, daemon: Daemon) -> None:
        self.heard: set[str] = set()
        self.digits: list[tuple[str, float, float]] = []
        assert daemon.process.stdout is not None
        self._lines = daemon.process.stdout
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in iter(self._lines.readline, b""):
            if not line.endswith(b"\n"):  # it was cut by the end of the daemon
                return
            at_s, event = time.perf_counter(), json.loads(line)
            self.heard.add(event["stream"])
            if event["type"] == "digit":
                self.digits.append((event["stream"], event["emitted_s"], at_s))


class Calls:
    """Calls of one kind, which begin one after the other; `sent_s` tells when each frame of all of them was sent."""

    def __init__(self, way: Open, stack: ExitStack, n_calls: int) -> None:
        self.firsts: dict[str, int] = {}
        self.sent_s: list[float] = []
        self._way, self._stack, self._n_calls = way, stack, n_calls
        self._sends: list[Send] = []
        self._began_s = time.perf_counter()

    def send(self, frames: Callable[[int], bytes]) -> None:
        """The next frame of each, and maybe the first of one more."""
        number = len(self.sent_s)
        if number % BEGIN_EVERY_FRAMES == 0 and len(self._sends) < self._n_calls:
            name, send = self._way(self._stack, len(self._sends))
            self.firsts[name] = number
            self._sends.append(send)
        time.sleep(max(0.0, self._began_s + number * FRAME_S - time.perf_counter()))
        self.sent_s.append(time.perf_counter())
        for n, (send, first) in enumerate(zip(self._sends, self.firsts.values(), strict=True)):
            with suppress(OSError):  # who is not heard: the daemon had no room
                send(number - first, frames(n))

    def delay_ms(self, name: str, emitted_s: float, at_s: float) -> float:
        """How long after the frame that decided a digit it was there."""
        number = self.firsts[name] + int(np.ceil(emitted_s / FRAME_S - 1e-6)) - 1
        return 1000 * (at_s - self.sent_s[min(number, len(self.sent_s) - 1)])


def measure(way: Open, n_calls: int, n_turns: int, printed: Printed) -> str:
    """The delays of one way, for the table."""
    speech = np.append(demo_at(8000), np.zeros(8000, np.int16))
    spoken = [speech[at : at + RTP_SAMPLES].astype("<i2").tobytes() for at in range(0, 8 * 8000, RTP_SAMPLES)]
    n_speakers, silence = min(n_calls, SPEAKERS), bytes(2 * RTP_SAMPLES)
    printed.digits.clear()
    with ExitStack() as stack:
        calls = Calls(way, stack, n_calls)
        for _ in range(BEGIN_EVERY_FRAMES * n_calls):
            calls.send(lambda _: silence)
        for turn in range(n_turns):
            speakers = {(turn * n_speakers + n) % n_calls for n in range(n_speakers)}
            for frame in spoken:
                calls.send({n: frame if n in speakers else silence for n in range(n_calls)}.__getitem__)
        time.sleep(3.0)  # what is pending comes, and the daemon has room again for others
    delays_ms = [calls.delay_ms(*digit) for digit in list(printed.digits) if digit[0] in calls.firsts]
    p50, p99 = np.percentile(delays_ms, [50, 99])
    n_said, n_heard = n_turns * n_speakers * len(DEMO_DIGITS), len(printed.heard & calls.firsts.keys())
    behind_ms = 1000 * (np.array(calls.sent_s) - calls.sent_s[0] - FRAME_S * np.arange(len(calls.sent_s))).max()
    return (
        f"p50 {p50:6.1f} ms   p99 {p99:6.1f} ms   {len(delays_ms)} of {n_said} digits   {n_heard} calls heard   "
        f"sent up to {behind_ms:.0f} ms late"
    )


def main(n_calls: int, n_turns: int) -> None:
    """All rows."""
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        path, port = Path(scratch) / "calls", free_ports(2 * n_calls)
        printed = Printed(stack.enter_context(closing(begun(path))))
        flags = ("--audiosocket", "127.0.0.1:0", "--rtp", f"127.0.0.1:{port}-{port + 2 * n_calls - 1}")
        telephone = stack.enter_context(closing(Telephone(path, *flags, "--log-level", "info")))
        telephone.logged("hears .*RTP")
        ways = {"straight": straight(path), "AudioSocket": audiosocket(telephone.port()), "RTP": rtp(port)}
        for n in dict.fromkeys((1, n_calls)):
            for name, way in ways.items():
                print(f"{name:<12} x {n:<4} {measure(way, n, n_turns, printed)}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 100, int(sys.argv[2]) if sys.argv[2:] else TURNS)

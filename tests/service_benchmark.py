"""How late readers of a socket hear: `python -m tests.service_benchmark [READERS]`, on an otherwise idle machine.

It prints how long after the audio that decided a digit its bytes are in a socket's reader, with many readers, one of
whom sleeps and one of whom is killed and replaced each second. What else a daemon costs `digitd bench` measures.
"""

import json
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import soundfile
from tests.conftest import DEMO
from tests.daemon.conftest import COMMAND

CHUNK_S = 0.02
REPEATS = 12
"""The demo so many times, at real time: a minute and a half."""


class Follower:
    """One that follows the socket; `delays_s` are those of its digits, `seqs` of all events."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.rest = b""
        self.seqs: list[int] = []
        self.came: list[tuple[float, float]] = []

    def take(self) -> bool:
        """Read what is there; False at the end."""
        read, at_s = self.socket.recv(65536), time.perf_counter()
        *lines, self.rest = (self.rest + read).split(b"\n")
        for line in lines:
            event = json.loads(line)
            self.seqs.append(event["seq"])
            if event["type"] == "digit":
                self.came.append((event["emitted_s"], at_s))
        return bool(read)


def measure_readers(folder: Path, n_readers: int) -> int:
    """Latency and losses; 1 where a reader lost an event."""
    path = folder / "r"
    command = [*COMMAND, "run", "--source", "-", "--sink", f"unix:{path}"]
    daemon = subprocess.Popen(command, stdin=subprocess.PIPE, bufsize=0, stderr=subprocess.DEVNULL)
    while not path.exists():
        time.sleep(0.02)
    followers = [Follower(path) for _ in range(n_readers)]
    sleeper, killed = Follower(path), Follower(path)
    written: dict[float, float] = {}
    feeding = threading.Thread(target=feed, args=(daemon, written))
    feeding.start()
    open_ones = {follower.socket.fileno(): follower for follower in followers}
    replaced_s = time.monotonic()
    while open_ones:
        for descriptor in select.select(list(open_ones), [], [], 0.1)[0]:
            if not open_ones[descriptor].take():
                del open_ones[descriptor]
        if open_ones and feeding.is_alive() and time.monotonic() - replaced_s > 1:
            killed.socket.close()
            killed, replaced_s = Follower(path), time.monotonic()
    feeding.join()
    delays_ms = sorted(1e3 * (at_s - written[round(emitted_s, 2)]) for f in followers for emitted_s, at_s in f.came)
    lost = sum(follower.seqs != list(range(len(follower.seqs))) for follower in followers)
    p50, p99 = delays_ms[len(delays_ms) // 2], delays_ms[int(0.99 * len(delays_ms))]
    print(
        f"{n_readers} readers: audio to bytes of its digit p50 {p50:.1f} ms, p99 {p99:.1f} ms, {len(delays_ms)} digits;"
    )
    print(f"readers that lost an event: {lost} (one more slept, {len(followers[0].seqs)} events each)")
    sleeper.socket.close()
    return int(lost > 0 or daemon.wait() != 0)


def feed(daemon: "subprocess.Popen[bytes]", written: dict[float, float]) -> None:
    """Write the demo at real time; `written` tells when the chunk that ends at a position was."""
    demo, rate_hz = soundfile.read(DEMO, dtype="int16")
    audio, chunk = np.tile(demo, REPEATS).astype("<i2"), int(CHUNK_S * rate_hz)
    began_s = time.perf_counter()
    assert daemon.stdin is not None
    for begin in range(0, len(audio) - chunk, chunk):
        due_s = began_s + (begin + chunk) / rate_hz
        time.sleep(max(0.0, due_s - time.perf_counter()))
        written[round((begin + chunk) / rate_hz, 2)] = time.perf_counter()
        daemon.stdin.write(audio[begin : begin + chunk].tobytes())
    daemon.stdin.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        sys.exit(measure_readers(Path(scratch), int(sys.argv[1]) if sys.argv[1:] else 50))

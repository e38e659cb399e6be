"""What the service costs, from outside: `python -m tests.service_benchmark [READERS]`, on an otherwise idle machine.

A private PulseAudio is the microphone, in a room that is quiet but for a faint hiss. It prints: process start to READY,
resident memory, CPU of the quiet room, and how long after the audio that decided a digit its bytes are in a socket's
reader, with many readers, one of whom sleeps and one of whom is killed and replaced each second.
"""

import json
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import soundfile
from tests.conftest import DEMO
from tests.daemon.conftest import COMMAND, FORMAT, Pulse
from tests.daemon.test_notify import Manager

IDLE_S = 60.0
HISS = 10.0
"""Of 32768, root mean square: -70 dBFS."""
STARTS = 20
CHUNK_S = 0.02
REPEATS = 12
"""The demo so many times, at real time: a minute and a half."""


def family(pid: int) -> list[int]:
    """A process and its children."""
    return [pid, *(int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


def memory_mb(pid: int, kind: str) -> float:
    """Of a process: `Rss`, or `Pss`, which counts a share of what it shares."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(rollup.split(f"\n{kind}:")[1].split()[0]) / 1024


def cpu_s(pid: int) -> float:
    """Processor time that the threads of a process have taken."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


def hissing(pulse: Pulse, folder: Path) -> subprocess.Popen[bytes]:
    """A faint noise that is played into the microphone."""
    n_samples = int((IDLE_S + 60) * 16000)
    (folder / "hiss").write_bytes(np.random.default_rng(0).normal(0, HISS, n_samples).astype("<i2").tobytes())
    command = ["pacat", "--playback", "--latency-msec=200", *FORMAT, "-d", "fakemic", str(folder / "hiss")]
    return subprocess.Popen(command, env={**pulse.environment, "PULSE_LATENCY_MSEC": "200"}, stderr=subprocess.DEVNULL)


def started(pulse: Pulse, manager: Manager, sinks: list[str]) -> tuple[subprocess.Popen[bytes], float]:
    """A daemon on the microphone, and seconds from its start to READY."""
    environment = {**pulse.environment, "NOTIFY_SOCKET": manager.environment["NOTIFY_SOCKET"]}
    began_s = time.perf_counter()
    daemon = subprocess.Popen([*COMMAND, "run", "--source", "mic:pulse", *sinks], env=environment)
    while manager.told() != "READY=1":
        pass
    return daemon, time.perf_counter() - began_s


def measure_microphone(folder: Path) -> None:
    """Start, memory, idle CPU."""
    pulse, manager = Pulse(folder), Manager(str(folder / "notify"))
    time.sleep(2.5)
    ready = []
    for _ in range(STARTS):
        daemon, ready_s = started(pulse, manager, ["--sink", f"unix:{folder}/s"])
        ready.append(ready_s)
        daemon.terminate()
        daemon.wait()
    hiss = hissing(pulse, folder)
    daemon, _ = started(pulse, manager, ["--sink", f"unix:{folder}/s"])
    time.sleep(4)  # a room is quiet only after a while
    before_s, began_s = [cpu_s(pid) for pid in family(daemon.pid)], time.monotonic()
    time.sleep(IDLE_S)
    length_s = time.monotonic() - began_s
    idle = [100 * (cpu_s(pid) - b) / length_s for pid, b in zip(family(daemon.pid), before_s, strict=True)]
    resident, shared = ([memory_mb(pid, kind) for pid in family(daemon.pid)] for kind in ("Rss", "Pss"))
    print(f"start to READY    {statistics.median(ready):.2f} s ({min(ready):.2f}-{max(ready):.2f}), with a microphone")
    print(
        f"idle, of one core {sum(idle):.2f} % (daemon {idle[0]:.2f}, capture {sum(idle[1:]):.2f}) over {IDLE_S:.0f} s"
    )
    print(
        f"resident memory   {sum(shared):.0f} MB (daemon {resident[0]:.0f}, capture {sum(resident[1:]):.0f}, each with "
        "what it shares)"
    )
    hiss.kill()
    hiss.wait()
    daemon.terminate()
    daemon.wait()
    pulse.kill()
    manager.socket.close()


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
        measure_microphone(Path(scratch))
        sys.exit(measure_readers(Path(scratch), int(sys.argv[1]) if sys.argv[1:] else 50))

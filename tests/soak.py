"""What a year would show, in minutes: `python -m tests.soak HOURS` feeds hours of audio fast and watches the process.

The audio is made of the demo, of a quiet room, of digital silence and of noise, over and over: 24 hours take some ten
minutes. It prints memory, descriptors and threads now and then, and what was published.
"""

import json
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import soundfile
from tests.conftest import DEMO, DEMO_DIGITS

RATE_HZ = 16000
PIECE_S = 60
STARTED_H = 0.5
"""Memory is compared with what it is after so long."""


@dataclass(frozen=True)
class Size:
    """What a process holds."""

    resident_kb: int
    descriptors: int
    threads: int


def size(pid: int) -> Size:
    """Of a process that runs."""
    status = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line
    )
    descriptors = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return Size(int(status["VmRSS"].split()[0]), descriptors, int(status["Threads"]))


def pieces() -> list[bytes]:
    """s16le minutes: speech without a pause, speech with rests, a quiet room, digital silence, loud noise."""
    demo, _ = soundfile.read(DEMO, dtype="float32")
    random = np.random.default_rng(1)
    length = PIECE_S * RATE_HZ
    hiss = 10 ** (-60 / 20) * random.standard_normal(length)
    rests = np.zeros(length)
    for begin in range(0, length - len(demo), len(demo) + 5 * RATE_HZ):
        rests[begin : begin + len(demo)] = demo
    minutes = [np.resize(demo, length), rests + hiss, hiss, np.zeros(length), 0.3 * random.standard_normal(length)]
    return [np.round(np.clip(minute, -1, 1) * 32767).astype("<i2").tobytes() for minute in minutes]


class Reader(threading.Thread):
    """Takes the events and checks their numbers."""

    def __init__(self, lines: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self._lines = lines
        self.n_events, self.n_digits, self.n_strings, self.holes = 0, 0, 0, 0

    def run(self) -> None:
        """To the end."""
        for line in self._lines:
            event = json.loads(line)
            self.holes += event["seq"] != self.n_events
            self.n_events = event["seq"] + 1
            self.n_digits += event["type"] == "digit"
            self.n_strings += event["type"] == "string" and event["digits"] == DEMO_DIGITS


def main(hours: float) -> int:
    """Feed, watch, and tell; 1 where memory or descriptors grow, or a number is missing."""
    command = [sys.executable, "-m", "digitd", "run", "--source", "-", "--sink", "stdout:jsonl"]
    began_s, minutes, first = time.monotonic(), pieces(), None
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as daemon:
        assert daemon.stdin is not None
        assert daemon.stdout is not None
        reader = Reader(daemon.stdout)
        reader.start()
        for minute in range(int(hours * 60)):
            daemon.stdin.write(minutes[minute % len(minutes)])
            if minute >= STARTED_H * 60 and (first is None or minute % 120 == 0):
                now = size(daemon.pid)
                first = first or now
                print(
                    f"{minute / 60:5.1f} h  {now.resident_kb} kB, {now.descriptors} descriptors, {now.threads} threads"
                )
        last = size(daemon.pid)
        daemon.stdin.close()
        reader.join()
    assert first is not None
    grown_kb = last.resident_kb - first.resident_kb
    print(
        f"grown by {grown_kb} kB; {reader.n_events} events, {reader.n_digits} digits, {reader.n_strings} whole strings,"
    )
    print(f"{reader.holes} holes in seq; {time.monotonic() - began_s:.0f} s for {hours:g} h")
    return int(grown_kb > 1024 or last.descriptors != first.descriptors or reader.holes or daemon.returncode)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if sys.argv[1:] else 24))

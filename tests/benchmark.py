"""What a run costs, from outside: `python -m tests.benchmark` prints start-up, speed and memory of `digitd run`."""

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
from tests.conftest import DEMO

REPEATS = 100
"""The demo so many times: twelve minutes."""
RUNS = 5


def measure(recording: Path) -> tuple[float, float]:
    """Seconds from the process's start to its `ready` line, and to its end."""
    command = [sys.executable, "-m", "digitd", "run", "--source", str(recording), "--sink", "stdout:jsonl"]
    began_s = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert b'"ready"' in process.stdout.readline()
        ready_s = time.perf_counter() - began_s
        process.stdout.read()
    assert process.returncode == 0
    return ready_s, time.perf_counter() - began_s


def main() -> None:
    """Print medians and ranges over RUNS runs."""
    demo, rate_hz = soundfile.read(DEMO, dtype="int16")
    audio_s = REPEATS * len(demo) / rate_hz
    with tempfile.TemporaryDirectory() as scratch:
        recording = Path(scratch) / "long.wav"
        soundfile.write(recording, np.tile(demo, REPEATS), rate_hz)
        runs = [measure(recording) for _ in range(RUNS)]
    ready = [ready_s for ready_s, _ in runs]
    speed = [audio_s / whole_s for _, whole_s in runs]
    peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"audio             {audio_s:.0f} s, {RUNS} runs")
    print(f"start to ready    {statistics.median(ready):.2f} s ({min(ready):.2f}-{max(ready):.2f})")
    print(f"times real time   {statistics.median(speed):.0f} ({min(speed):.0f}-{max(speed):.0f})")
    print(f"peak memory       {peak_mb:.0f} MB")


if __name__ == "__main__":
    main()

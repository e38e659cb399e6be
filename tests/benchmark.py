"""What a run costs, from outside: `python -m tests.benchmark` prints start-up, speed and memory of `digitd run`.

`python -m tests.benchmark connected` does so with another bundle.
`python -m tests.benchmark networks` prints what a second of sound costs each network that hears a stream.
"""

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

from digitd.models import DEFAULT_MODEL

REPEATS = 100
"""The demo so many times: twelve minutes."""
RUNS = 5


def measure(recording: Path, model: str) -> tuple[float, float]:
    """Seconds from the process's start to its `ready` line, and to its end."""
    command = [sys.executable, "-m", "digitd", "run", "--source", str(recording), "--sink", "stdout:jsonl"]
    command += ["--model", model]
    began_s = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert b'"ready"' in process.stdout.readline()
        ready_s = time.perf_counter() - began_s
        process.stdout.read()
    assert process.returncode == 0
    return ready_s, time.perf_counter() - began_s


def step_times_ms(name: str, scratch: Path) -> tuple[int, list[float]]:
    """Parameters of a network, and milliseconds that RUNS seconds of sound take it, one step an output."""
    from digitd.daemon.session import open_session
    from digitd.daemon.spotter import NEXT_STATE, STATE
    from digitd.daemon.stream_features import StreamSpec
    from digitd.export import stream_convert
    from digitd.trainer.networks import stream

    spec, labels = StreamSpec(), 10
    model, path = stream.build(name, spec.n_mels, labels + 1), scratch / f"{name}.onnx"
    state = np.zeros((1, stream_convert.to_onnx(model, path)), np.float32)
    session, times_ms = open_session(path, "cpu"), []
    frames = np.zeros((1, spec.frames_per_output, spec.n_mels), np.float32)
    steps = spec.sample_rate_hz // spec.hop_samples // spec.frames_per_output
    for _ in range(10 * RUNS):
        began_s = time.perf_counter()
        for _ in range(steps):
            (state,) = session.run([NEXT_STATE], {stream_convert.INPUT: frames, STATE: state})
        times_ms.append(1e3 * (time.perf_counter() - began_s))
    return model.count_params(), times_ms


def networks() -> None:
    """Print a line a network."""
    from digitd.trainer.networks import STREAM_NETWORKS

    with tempfile.TemporaryDirectory() as scratch:
        for name in STREAM_NETWORKS:
            parameters, times_ms = step_times_ms(name, Path(scratch))
            print(f"{name:<12} {parameters:>8,} parameters  {statistics.median(times_ms):.2f} ms a second of sound")


def main(model: str) -> None:
    """Print medians and ranges over RUNS runs."""
    demo, rate_hz = soundfile.read(DEMO, dtype="int16")
    audio_s = REPEATS * len(demo) / rate_hz
    with tempfile.TemporaryDirectory() as scratch:
        recording = Path(scratch) / "long.wav"
        soundfile.write(recording, np.tile(demo, REPEATS), rate_hz)
        runs = [measure(recording, model) for _ in range(RUNS)]
    ready = [ready_s for ready_s, _ in runs]
    speed = [audio_s / whole_s for _, whole_s in runs]
    peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"audio             {audio_s:.0f} s, {RUNS} runs")
    print(f"start to ready    {statistics.median(ready):.2f} s ({min(ready):.2f}-{max(ready):.2f})")
    print(f"times real time   {statistics.median(speed):.0f} ({min(speed):.0f}-{max(speed):.0f})")
    print(f"peak memory       {peak_mb:.0f} MB")


if __name__ == "__main__":
    networks() if sys.argv[1:] == ["networks"] else main(*sys.argv[1:] or [DEFAULT_MODEL])

"""What a second of sound costs each network that hears a stream: `python -m tests.benchmark` prints a line for each."""

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

RUNS = 5


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


if __name__ == "__main__":
    networks()

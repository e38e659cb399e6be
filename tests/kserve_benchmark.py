"""What a server costs beside the local session: `python -m tests.kserve_benchmark [CLIENTS]`, with a real Triton here.

A step is what a live stream asks for each 40 ms. It prints the time of one (p50, p99) of the local session and over
either protocol, alone and with many clients at once, who are threads of a few processes, and the steps a second of all.
"""

import multiprocessing
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from tests.daemon.triton import Triton, installed, run_by_python

from digitd.daemon import bundle
from digitd.daemon.spotter import Spotter
from digitd.export.triton import export
from digitd.export.triton_config import Serving
from digitd.models import DEFAULT_MODEL

STEPS = 1000
PROCESSES = 4


def steps_ms(spotter: Spotter, n_steps: int) -> list[float]:
    """How long each step of a stream took."""
    state, taken_ms = spotter.silence(), []
    frames = np.random.default_rng(0).random((1, spotter.spec.frames_per_output, spotter.spec.n_mels), np.float32)
    for _ in range(n_steps):
        began_s = time.perf_counter()
        _, state = spotter.step(frames, state)
        taken_ms.append(1000 * (time.perf_counter() - began_s))
    return taken_ms


def clients_ms(task: tuple[str, int, int]) -> list[float]:
    """The same of some streams at once, in threads of this process."""
    provider, n_clients, n_steps = task
    spotter, taken_ms = Spotter(bundle.load(DEFAULT_MODEL), provider), list[float]()
    threads = [threading.Thread(target=lambda: taken_ms.extend(steps_ms(spotter, n_steps))) for _ in range(n_clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return taken_ms


def row(name: str, taken_ms: list[float], wall_s: float) -> str:
    p50, p99 = np.percentile(taken_ms, [50, 99])
    return f"{name:<28} p50 {p50:7.2f} ms   p99 {p99:7.2f} ms   {len(taken_ms) / wall_s:7.0f} steps/s"


def measure(provider: str, n_clients: int) -> str:
    """One row."""
    n_processes = min(PROCESSES, n_clients)
    n_steps = max(50, STEPS // n_clients)
    began_s = time.perf_counter()
    if n_clients == 1:
        taken_ms = clients_ms((provider, 1, n_steps))
    else:
        tasks = [(provider, n_clients // n_processes, n_steps)] * n_processes
        with multiprocessing.get_context("spawn").Pool(n_processes) as pool:
            pool.map(clients_ms, [(provider, 1, 1)] * n_processes)  # they have begun, and loaded what they need
            began_s = time.perf_counter()
            taken_ms = [ms for part in pool.map(clients_ms, tasks, 1) for ms in part]
    return row(f"{provider.partition('//')[0]} x {n_clients}", taken_ms, time.perf_counter() - began_s)


def main(n_clients: int) -> None:
    """All rows."""
    print(measure("cpu", 1))
    for max_delay_ms in (0.0, Serving().max_delay_ms, 5.0):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            export(bundle.load(DEFAULT_MODEL), folder / "served", Serving(max_delay_ms=max_delay_ms))
            run_by_python(folder / "served")
            with Triton(installed(), folder / "served", folder / "log") as server:
                print(f"a step waits {max_delay_ms:g} ms for others")
                for url in (server.http, server.grpc):
                    for n in (1, n_clients):
                        print(measure(f"kserve:{url}", n), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 32)

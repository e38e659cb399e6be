"""What the Wyoming service adds: `python -m tests.wyoming_benchmark [CLIENTS]`, with a daemon of its own.

At real-time pace it prints how long after the sound that decided a digit was sent the digit is back (p50, p99):
straight from the audio socket and through the service, by turns. Then that many clients are connected at once, at the
same pace, and say the demo a few at a time, while the others send silence.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import soundfile
from tests.conftest import DEMO, DEMO_DIGITS
from tests.daemon.conftest import COMMAND
from wyoming.audio import AudioChunk, AudioStop
from wyoming.client import AsyncClient

from digitd.daemon.client.call import arecognise
from digitd.daemon.events import Digit, Event

CHUNK_S = 0.02
ROUNDS = 12
"""The demo so often each way: 84 digits."""
SPEAK_AT_ONCE = 8
CONNECT_EVERY_S = 0.05
PIECE_BYTES = 3200
"""0.1 s."""

Samples = AsyncIterator[bytes]
Way = Callable[[Samples], AsyncIterator[str]]


def chunks() -> list[bytes]:
    """The demo as a client sends it."""
    samples, rate_hz = soundfile.read(DEMO, dtype="int16")
    n_samples = round(CHUNK_S * rate_hz)
    return [samples[at : at + n_samples].tobytes() for at in range(0, len(samples), n_samples)]


def chunk(samples: bytes) -> AudioChunk:
    return AudioChunk(rate=16000, width=2, channels=1, audio=samples)


def straight(path: Path) -> Way:
    async def digits(samples: Samples) -> AsyncIterator[str]:
        async for event in arecognise(samples, path, mode="entry"):
            if isinstance(event, Event) and isinstance(event.body, Digit):
                yield event.body.digit

    return digits


def through(uri: str) -> Way:
    async def digits(samples: Samples) -> AsyncIterator[str]:
        async with AsyncClient.from_uri(uri) as client:

            async def send() -> None:
                async for piece in samples:
                    await client.write_event(chunk(piece).event())
                await client.write_event(AudioStop().event())

            sending = asyncio.create_task(send())
            while (event := await client.read_event()) is not None and event.type != "transcript":
                if event.type == "transcript-chunk":
                    yield event.data["text"]
            await sending

    return digits


async def came_s(way: Way) -> list[float]:
    """When each digit is back, from the first sample on; the pace is the sound's own."""
    began_s = time.perf_counter()

    async def paced() -> Samples:
        for n, piece in enumerate(chunks()):
            await asyncio.sleep(max(0.0, began_s + (n + 1) * CHUNK_S - time.perf_counter()))
            yield piece

    heard = [(digit, time.perf_counter() - began_s) async for digit in way(paced())]
    assert "".join(digit for digit, _ in heard) == DEMO_DIGITS, heard
    return [at_s for _, at_s in heard]


async def latency(path: Path, uri: str) -> None:
    """By turns, so that a busy machine is busy for both."""
    ways = {"straight": straight(path), "through": through(uri)}
    rows: dict[str, list[list[float]]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            rows[name].append(await came_s(way))
    taken = {name: 1000 * np.array(row) for name, row in rows.items()}
    decided = taken["straight"].min(axis=0)  # the best of each digit: what is due to its sound alone
    for name, row in taken.items():
        p50, p99 = np.percentile(row - decided, [50, 99])
        print(f"{name:<10} p50 {p50:6.2f} ms   p99 {p99:6.2f} ms   after the earliest that each digit came")


def room(length_s: float) -> bytes:
    """A quiet one, which no microphone gives as zeros."""
    return np.random.default_rng(0).integers(-3, 4, round(16000 * length_s), np.int16).tobytes()


async def many(uri: str, n_clients: int) -> None:
    """All are connected throughout, at the pace of sound; each says the demo in its turn, and is silent else."""
    length_s = len(chunks()) * CHUNK_S
    wait_s = length_s / SPEAK_AT_ONCE
    demo = b"".join(chunks())
    whole_s = n_clients * wait_s + length_s

    async def one(n: int) -> str:
        await asyncio.sleep(n * CONNECT_EVERY_S)
        before_s = n * wait_s
        said = room(before_s) + demo
        said += room(whole_s - len(said) / 32000)
        async with AsyncClient.from_uri(uri) as client:
            began_s = time.perf_counter()
            for at in range(0, len(said), PIECE_BYTES):
                await asyncio.sleep(max(0.0, began_s + at / 32000 - time.perf_counter()))
                await client.write_event(chunk(said[at : at + PIECE_BYTES]).event())
            await client.write_event(AudioStop().event())
            event = await client.read_event()
            while event is not None and event.type not in ("transcript", "error"):
                event = await client.read_event()
            return str(event.data["text"]) if event else "hung up"

    answers = await asyncio.gather(*[one(n) for n in range(n_clients)], return_exceptions=True)
    right = answers.count(DEMO_DIGITS)
    print(f"{n_clients} clients at once for {whole_s:.0f} s: {right} answered rightly")
    for answer in {str(answer) for answer in answers} - {DEMO_DIGITS}:
        print(f"  else: {answer}")


async def measure(path: Path, uri: str, n_clients: int, service: "subprocess.Popen[str]") -> None:
    """All of it."""
    await latency(path, uri)
    before_s = cpu_s(service.pid)
    began_s = time.perf_counter()
    await many(uri, n_clients)
    share = (cpu_s(service.pid) - before_s) / (time.perf_counter() - began_s)
    print(f"the service took {share:.1%} of a core meanwhile, and {rss_mib(service.pid):.0f} MiB")


def cpu_s(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def rss_mib(pid: int) -> float:
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


def main(n_clients: int) -> None:
    """Start both, measure, stop both."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "audio"
        daemon = subprocess.Popen([*COMMAND, "run", "--source", f"unix:{path}", "--sink", f"unix:{path}.events"])
        serve = [*COMMAND, "wyoming", str(path), "--uri", "tcp://127.0.0.1:0"]
        service = subprocess.Popen(serve, stdout=subprocess.PIPE, text=True)
        try:
            assert service.stdout is not None
            uri = service.stdout.readline().strip()
            while not path.exists():
                time.sleep(0.02)
            asyncio.run(measure(path, uri, n_clients, service))
        finally:
            for process in (service, daemon):
                process.terminate()
                process.wait()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)

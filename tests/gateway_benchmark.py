"""What the gateway adds: `python -m tests.gateway_benchmark [SPEAKERS [LISTENERS]]`, on an otherwise idle machine.

It prints how long after the audio that decided a digit its event is there (p50, p99), at the pace of real time: of a
stream that goes straight to the daemon's audio socket and of those that go through the gateway beside it; then of
many at once, straight, and through the gateway while still more listen. Its own share of a core stands with it.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, closing
from pathlib import Path

import numpy as np
import soundfile
from tests.conftest import DEMO, DEMO_DIGITS
from tests.daemon.test_gateway import Gateway, Heard, certify, trusting
from websockets.asyncio.client import connect

from digitd.client import Digit, Event, arecognise

CHUNK_S = 0.04
REPEATS = 4
"""The demo so many times: half a minute."""
RAW = np.tile(soundfile.read(DEMO, dtype="int16")[0], REPEATS).astype("<i2").tobytes()
CHUNK_BYTES = round(CHUNK_S * 16000) * 2
Stream = Callable[["Speaker"], Awaitable[None]]


class Speaker:
    """Speaks at the pace of real time; `delays_s` are those of its digits."""

    def __init__(self, begin_s: float = 0.0) -> None:
        self._begin_s = time.perf_counter() + begin_s
        self.delays_s: list[float] = []

    async def chunks(self) -> AsyncIterator[bytes]:
        for n, at in enumerate(range(0, len(RAW), CHUNK_BYTES)):
            await asyncio.sleep(self._begin_s + (n + 1) * CHUNK_S - time.perf_counter())  # no sooner than it is said
            yield RAW[at : at + CHUNK_BYTES]

    def hear(self, emitted_s: float) -> None:
        """A digit is there, which audio up to `emitted_s` has decided; the chunk with its end was sent then."""
        sent_s = self._begin_s + np.ceil(round(emitted_s / CHUNK_S, 6)) * CHUNK_S
        self.delays_s.append(time.perf_counter() - sent_s)


def straight(path: Path) -> Stream:
    async def speak(speaker: Speaker) -> None:
        async with aclosing(arecognise(speaker.chunks(), path)) as events:
            async for event in events:
                if isinstance(event, Event) and isinstance(event.body, Digit):
                    speaker.hear(event.body.emitted_s)

    return speak


def through(gateway: Gateway, folder: Path) -> Stream:
    encryption = trusting(folder) if gateway.url.startswith("wss") else None

    async def speak(speaker: Speaker) -> None:
        async with connect(f"{gateway.url}/audio", ssl=encryption, compression=None, proxy=None) as socket:
            await socket.send("{}")

            async def send() -> None:
                async for chunk in speaker.chunks():
                    await socket.send(chunk)
                await socket.send('{"end":true}')

            sending = asyncio.create_task(send())
            async for line in socket:
                event = json.loads(line)
                if event["type"] == "digit":
                    speaker.hear(event["emitted_s"])
            await sending

    return speak


async def listen(gateway: Gateway, folder: Path, counts: list[int]) -> None:
    """Count digits until cancelled."""
    encryption, n = trusting(folder) if gateway.url.startswith("wss") else None, len(counts)
    counts.append(0)
    async with connect(f"{gateway.url}/events", ssl=encryption, compression=None, proxy=None) as socket:
        async for line in socket:
            counts[n] += '"type":"digit"' in str(line)


def row(name: str, speakers: list[Speaker]) -> str:
    delays_ms = [1000 * delay_s for speaker in speakers for delay_s in speaker.delays_s]
    p50, p99 = np.percentile(delays_ms, [50, 99])
    whole = sum(len(speaker.delays_s) == REPEATS * len(DEMO_DIGITS) for speaker in speakers)
    return f"{name:<26} p50 {p50:6.1f} ms   p99 {p99:6.1f} ms   {whole} of {len(speakers)} heard whole"


def cpu_s(pid: int) -> float:
    """What a process has had of the processor."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure(heard: Heard, folder: Path, gateways: list[Gateway], n_speakers: int, n_listeners: int) -> None:
    ways = {"straight": straight(heard.audio), **{each.url[:3]: through(each, folder) for each in gateways}}
    speakers = {name: Speaker() for name in ways}
    await asyncio.gather(*(way(speakers[name]) for name, way in ways.items()))
    for name, speaker in speakers.items():
        print(row(f"1 stream, {name.rstrip(':')}", [speaker]), flush=True)
    crowd = [Speaker(begin_s=n * 7.3 / n_speakers) for n in range(n_speakers)]
    await asyncio.gather(*map(straight(heard.audio), crowd))
    print(row(f"{n_speakers} streams, straight", crowd), flush=True)
    wss, counts = gateways[-1], list[int]()
    listening = [asyncio.create_task(listen(wss, folder, counts)) for _ in range(n_listeners)]
    before_s, began_s = cpu_s(wss.process.pid), time.perf_counter()
    many = [Speaker(begin_s=n * 7.3 / n_speakers) for n in range(n_speakers)]
    await asyncio.gather(*map(through(wss, folder), many))
    share = (cpu_s(wss.process.pid) - before_s) / (time.perf_counter() - began_s)
    print(row(f"{n_speakers} streams, wss", many))
    status = Path(f"/proc/{wss.process.pid}/status").read_text()
    peak_kib = int(status.partition("VmHWM:")[2].split()[0])
    print(f"gateway: {100 * share:.0f} % of a core, {peak_kib >> 10} MiB", end="; ")
    print(f"{n_listeners} listened, to {set(counts)} digits each")
    for task in listening:
        task.cancel()


def main(n_speakers: int = 20, n_listeners: int = 100) -> None:
    """All of it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        heard = Heard(folder)
        try:
            with closing(Gateway(*heard.flags)) as ws, closing(Gateway(*heard.flags, *certify(folder))) as wss:
                asyncio.run(measure(heard, folder, [ws, wss], n_speakers, n_listeners))
        finally:
            heard.process.terminate()
            try:
                heard.process.wait(5)
            except subprocess.TimeoutExpired:
                heard.process.kill()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

"""Raw samples in a pipe, of any length and in any pieces, through the whole pipeline of the default bundle."""

import fcntl
import json
import os
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from threading import Event

import numpy as np
import soundfile
from tests.alike import alike
from tests.fuzz.target import ROOT, Target

from digitd.daemon import bundle
from digitd.daemon.audio import Block, from_pcm16
from digitd.daemon.errors import AudioError
from digitd.daemon.events import Body, Stamp
from digitd.daemon.pipeline import Pipeline, PipelineConfig
from digitd.daemon.sources.pipe import PipeSource
from digitd.daemon.spotter import Spotter
from digitd.models import DEFAULT_MODEL

DEMO = soundfile.read(ROOT / "tests/data/demo.flac", dtype="int16")[0]
RATES_HZ = (16000, 16000, 8000, 11025, 44100, 48000, 1000, 768000)
MOST_CHANNELS = 3
LONGEST_S = 2.5
LONGEST_BYTES = 128 * 1024
PIPE_BYTES = 1024 * 1024
PACKET_BYTES = 4096
"""What is written at once is read at once, up to this length: O_DIRECT of pipe(2)."""
MOST_CUTS = 100
HEAD_BYTES, PIECE_BYTES = 4, 4
UNIT_SAMPLES = 160


@cache
def spotter() -> Spotter:
    """The default bundle's network."""
    return Spotter(bundle.load(DEFAULT_MODEL), "cpu")


def run(data: bytes) -> None:
    """The same bodies come out as of one block, whatever the pieces; each can be written, none goes back in time."""
    if len(data) < HEAD_BYTES:
        return
    rate_hz, channels = RATES_HZ[data[0] % len(RATES_HZ)], 1 + data[1] % MOST_CHANNELS
    raw = sound(data[HEAD_BYTES:])[: int(LONGEST_S * rate_hz) * 2 * channels]
    bodies = heard_in_pieces(raw, cuts(len(raw), int.from_bytes(data[2:4])), rate_hz, channels)
    assert alike(bodies, heard_at_once(raw, rate_hz, channels))
    told(bodies)


def sound(script: bytes) -> bytes:
    """s16le samples: words of the demo, silence, noise, full scale, and the script's own bytes."""
    pieces, at, length = [], 0, 0
    while at < len(script) and length < LONGEST_BYTES:
        kind, gain, start, units = (*script[at : at + PIECE_BYTES], 0, 0, 0)[:PIECE_BYTES]
        at += PIECE_BYTES
        n_samples = units * UNIT_SAMPLES
        match kind % 5:
            case 0:
                begin = start * len(DEMO) // 256
                piece = (DEMO[begin : begin + n_samples] * (gain / 128)).clip(-32768, 32767).astype("<i2").tobytes()
            case 1:
                piece = bytes(2 * n_samples)
            case 2:
                piece = (np.random.default_rng(start).standard_normal(n_samples) * 32 * gain).astype("<i2").tobytes()
            case 3:
                piece = np.where(np.arange(n_samples) // (1 + start) % 2, 32767, -32768).astype("<i2").tobytes()
            case _:
                piece = script[at : at + units]
                at += units
        pieces.append(piece)
        length += len(piece)
    return b"".join(pieces)[:LONGEST_BYTES]


def cuts(n_bytes: int, seed: int) -> list[int]:
    """Where the samples are cut: somewhere, in clusters, or not at all."""
    generator = np.random.default_rng(seed)
    places = generator.integers(0, n_bytes + 1, seed % MOST_CUTS)
    near = places[: len(places) // 2] + generator.integers(-3, 4, len(places) // 2)
    return sorted({*places.tolist(), *np.clip(near, 0, n_bytes).tolist()})


def piped(raw: bytes, places: list[int]) -> int:
    """The reading end of a pipe that hands over each piece by itself, and then ends."""
    reading, writing = os.pipe2(os.O_DIRECT)
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    for begin, end in pairwise([0, *places, len(raw)]):
        os.write(writing, raw[begin:end])
    os.close(writing)
    return reading


def heard_in_pieces(raw: bytes, places: list[int], rate_hz: int, channels: int) -> list[Body]:
    """What comes of it through a pipe."""
    reading = piped(raw, places)
    source, pipeline = PipeSource(rate_hz, channels, reading), Pipeline(spotter(), "entry", rate_hz, PipelineConfig())
    bodies: list[Body] = []
    try:
        for block in source.blocks(Event()):
            bodies += pipeline.push(block)
    except AudioError:
        assert len(raw) % (2 * channels)  # it ends within a frame
    else:
        assert not len(raw) % (2 * channels)
    finally:
        os.close(reading)
    return [*bodies, *pipeline.finish()]


def heard_at_once(raw: bytes, rate_hz: int, channels: int) -> list[Body]:
    """What comes of its whole frames in one block."""
    pipeline = Pipeline(spotter(), "entry", rate_hz, PipelineConfig())
    whole = raw[: len(raw) - len(raw) % (2 * channels)]
    return [*pipeline.push(Block(from_pcm16(whole, channels))), *pipeline.finish()]


def told(bodies: list[Body]) -> None:
    """Every body is a line of JSON, and they come in the stream's order."""
    stamp, emitted_s = Stamp("pcm"), 0.0
    for body in bodies:
        event = json.loads(stamp.event(body).to_json())
        assert event.get("emitted_s", emitted_s) >= emitted_s
        assert event.get("start_s", 0.0) <= event.get("end_s", event.get("start_s", 0.0))
        emitted_s = event.get("emitted_s", emitted_s)
    assert event["type"] == "end"


def seeds() -> Iterator[bytes]:
    """The demo's beginning at each rate; its words between noise, silence and full scale; odd numbers of bytes."""
    for rate in range(len(RATES_HZ)):
        yield bytes([rate, rate, 7, rate, 0, 128, 0, 250, 0, 128, 70, 150])
    yield bytes([0, 0, 1, 50, 2, 200, 1, 60, 0, 255, 20, 200, 1, 0, 0, 90, 0, 40, 100, 120, 3, 0, 3, 30])
    yield bytes([0, 1, 2, 99, 0, 128, 0, 120, 4, 0, 0, 7, *range(7), 0, 128, 128, 250])
    yield bytes([2, 2, 0, 0, 4, 0, 0, 255, *range(255)])


TARGET = Target(run=run, seeds=seeds, longest_bytes=256, timeout_s=20, most_rss_mb=700)

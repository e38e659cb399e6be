"""What the capture program writes, in whatever pieces it comes, gives the same sound with the same gaps in it."""

import json
import os
from collections.abc import Iterator

import numpy as np
import pytest

from digitd.daemon.audio import Samples
from digitd.daemon.sources.capture_process import CaptureProcess
from digitd.daemon.sources.program import Program
from digitd.daemon.sources.record import RECORD

RATE_HZ, CHUNK_FRAMES = 16000, 640


class Written(Program):
    """The daemon's end of a pipe that the test writes."""

    def __init__(self) -> None:
        self.pipe, self.writing = os.pipe()
        self.told: list[bytes] = []

    def tell(self, line: bytes) -> None:
        self.told.append(line)

    def end(self) -> None:
        os.close(self.pipe)
        os.close(self.writing)


@pytest.fixture
def written() -> Iterator[Written]:
    program = Written()
    yield program
    program.end()


@pytest.fixture
def capture(written: Written) -> CaptureProcess:
    """It is open."""
    opened = CaptureProcess("desk", RATE_HZ, written)
    assert not opened.opens(0.0)
    os.write(written.writing, json.dumps({"name": "desk", "rate_hz": RATE_HZ, "channels": 1}).encode() + b"\n")
    assert opened.opens(1.0)
    return opened


def records(lost_before: dict[int, int], late_from: int = 10**9) -> bytes:
    """Twenty chunks, each of its number; frames lost before some, and a second without a word before `late_from`."""
    pieces, at_s = [], 100.0
    for number in range(20):
        lost = lost_before.get(number, 0)
        at_s += (CHUNK_FRAMES + lost) / RATE_HZ + (1.0 if number == late_from else 0.0)
        raw = np.full(CHUNK_FRAMES, number, "<i2").tobytes()
        pieces.append(RECORD.pack(len(raw), lost, at_s) + raw)
    return b"".join(pieces)


def heard(capture: CaptureProcess) -> tuple[Samples, dict[int, int], int]:
    """All frames that have come, how many were lost before which position, and in how many blocks they came."""
    frames, blocks = [np.zeros((0, 1), np.float32)], 0
    gaps: dict[int, int] = {}
    while block := capture.read(0.0):
        if block.dropped_frames:
            gaps[sum(map(len, frames))] = block.dropped_frames
        frames.append(block.frames)
        blocks += 1
    return np.concatenate(frames), gaps, blocks


@pytest.mark.parametrize("piece_bytes", [1, 15, 1296, 1300, 5000, 10**6])
def test_any_piecing_gives_the_same_sound_and_gaps(capture: CaptureProcess, written: Written, piece_bytes: int) -> None:
    said = records({5: 3200, 6: 100}, late_from=12)
    frames: list[Samples] = []
    gaps: dict[int, int] = {}
    for begin in range(0, len(said), piece_bytes):
        os.write(written.writing, said[begin : begin + piece_bytes])
        some, their_gaps, _ = heard(capture)
        gaps |= {sum(map(len, frames)) + position: lost for position, lost in their_gaps.items()}
        frames.append(some)
    assert np.array_equal(np.concatenate(frames)[::CHUNK_FRAMES, 0] * 32768, np.arange(20))
    assert gaps == {5 * CHUNK_FRAMES: 3200, 6 * CHUNK_FRAMES: 100, 12 * CHUNK_FRAMES: pytest.approx(RATE_HZ, abs=16)}


def test_what_waits_comes_together_and_tells_when_its_last_frame_came(
    capture: CaptureProcess, written: Written
) -> None:
    os.write(written.writing, records({}))
    assert capture.waiting_bytes == 20 * (RECORD.size + 2 * CHUNK_FRAMES)
    block = capture.read(0.0)
    assert block is not None
    assert len(block.frames) == 20 * CHUNK_FRAMES
    assert block.captured_s == pytest.approx(100.0 + 20 * CHUNK_FRAMES / RATE_HZ)
    assert capture.read(0.0) is None
    assert capture.waiting_bytes == 0


def test_rest_is_told_when_it_changes(capture: CaptureProcess, written: Written) -> None:
    for wanted in (False, True, True, False):
        capture.rest(wanted=wanted)
    assert [json.loads(line) for line in written.told] == [{"name": "desk", "rate_hz": RATE_HZ}, True, False]

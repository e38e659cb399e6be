"""A second of the microphone, taken as the daemon takes it."""

import time
from dataclasses import dataclass

import numpy as np

from digitd.daemon.audio import Block, Samples
from digitd.daemon.errors import StalledError
from digitd.daemon.sources.capture_process import CaptureProcess
from digitd.daemon.sources.microphone import STALL_S
from digitd.daemon.sources.source import POLL_S

RECORDED_S = 1.0


@dataclass(frozen=True)
class Recording:
    """What a microphone gave."""

    device: str
    rate_hz: int
    frames: Samples
    """float32 [n_frames, n_channels]."""
    dropped_frames: int
    waited_s: float
    """From the start of the opening to the first sample."""


def record(name: str | None, rate_hz: int) -> Recording:
    """RECORDED_S of the microphone of that name, or of the default one; `rate_hz` is asked for first.

    Raises:
        MicrophoneError: it is not there, cannot be opened, or sends nothing.
    """
    began_s = time.monotonic()
    capture = CaptureProcess(name, rate_hz)
    try:
        while not capture.opens(POLL_S):
            pass
        blocks = _blocks(capture)
    finally:
        capture.close()
    first_s = (blocks[0].captured_s or began_s) - len(blocks[0].frames) / capture.rate_hz
    return Recording(
        device=capture.device,
        rate_hz=capture.rate_hz,
        frames=np.concatenate([block.frames for block in blocks]),
        dropped_frames=sum(block.dropped_frames for block in blocks),
        waited_s=max(0.0, first_s - began_s),
    )


def _blocks(capture: CaptureProcess) -> list[Block]:
    blocks: list[Block] = []
    heard_s = time.monotonic()
    while sum(len(block.frames) for block in blocks) < RECORDED_S * capture.rate_hz:
        if block := capture.read(POLL_S):
            blocks.append(block)
            heard_s = time.monotonic()
        elif time.monotonic() - heard_s >= STALL_S:
            raise StalledError(f"{capture.device!r} is open and has sent nothing for {STALL_S:g} s")
    return blocks

"""Raw s16le samples on standard input."""

import os
import select
import sys
from collections.abc import Iterator
from threading import Event

import numpy as np

from digitd.daemon.audio import Block, from_pcm16
from digitd.daemon.errors import AudioError
from digitd.daemon.sources.source import POLL_S

READ_BYTES = 65536


class PipeSource:
    """Interleaved little-endian 16-bit samples, of any write size.

    Raises:
        AudioError: standard input is closed.
    """

    name = "stdin"
    live = False
    waiting_s = 0.0
    patience_s = POLL_S
    rests = False

    def __init__(self, rate_hz: int, channels: int, descriptor: int | None = None) -> None:
        self.rate_hz = rate_hz
        self._channels = channels
        if descriptor is None and sys.stdin is None:
            raise AudioError("standard input is closed; pipe raw s16le samples into it")
        self._descriptor = sys.stdin.fileno() if descriptor is None else descriptor

    def blocks(self, stop: Event) -> Iterator[Block]:
        """A block for each read, of the whole frames that have come.

        Raises:
            AudioError: the pipe ends within a frame.
        """
        frame_bytes = 2 * self._channels
        waiting, nothing = b"", Block(np.zeros((0, self._channels), np.float32))
        while not stop.is_set():
            if not select.select([self._descriptor], [], [], self.patience_s)[0]:
                if not self.patience_s:
                    yield nothing
                continue
            read = os.read(self._descriptor, READ_BYTES)
            if not read:
                break
            waiting += read
            whole = len(waiting) - len(waiting) % frame_bytes
            if whole:
                yield Block(from_pcm16(waiting[:whole], self._channels))
            waiting = waiting[whole:]
        if waiting and not stop.is_set():
            raise AudioError(
                f"stdin ended {len(waiting)} bytes into a frame of {frame_bytes}; send whole s16le frames of "
                f"{self._channels} channel(s)"
            )

    def close(self) -> None:
        """Nothing to give back: standard input stays open."""

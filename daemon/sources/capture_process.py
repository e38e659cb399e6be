"""The daemon's end of the capture program: what it recorded, in blocks."""

import array
import fcntl
import json
import logging
import os
import select
import termios
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass

from digitd.daemon.audio import Block, from_pcm16
from digitd.daemon.errors import MicrophoneError
from digitd.daemon.sources.clock import FrameClock
from digitd.daemon.sources.program import Program, taken
from digitd.daemon.sources.record import RECORD

READ_BYTES = 65536
OPEN_S = 6.0
"""An audio server that does not answer for so long is frozen."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Record:
    raw: bytes
    missing_frames: int
    """Lost before it: by the pipe, or long before, as the clock tells."""
    at_s: float


class CaptureProcess:
    """The running capture program of one microphone.

    Args:
        name: as `digitd devices` lists it; None takes the default.
        rate_hz: asked for first; else the device's own.
        program: one that waits to be told what to open.
    """

    device = ""
    rate_hz = channels = 0

    def __init__(self, name: str | None, rate_hz: int, program: Program | None = None) -> None:
        self._program = program or taken(quiet=not logger.isEnabledFor(logging.DEBUG))
        self._program.tell(json.dumps({"name": name, "rate_hz": rate_hz}).encode() + b"\n")
        self._bytes = b""  # of no whole record
        self._records: deque[_Record] = deque()
        self._rests = False
        self._open_until_s = time.monotonic() + OPEN_S

    def opens(self, timeout_s: float) -> bool:
        """Whether it is open; False where that is not known yet.

        Raises:
            MicrophoneError: no such microphone, it cannot be opened, or its audio server does not answer.
        """
        self._fill(timeout_s)
        line, found, rest = self._bytes.partition(b"\n")
        if not found:
            if time.monotonic() >= self._open_until_s:
                raise MicrophoneError(f"the audio server has not answered for {OPEN_S:g} s; restart it")
            return False
        told, self._bytes = json.loads(line), rest
        if "error" in told:
            raise MicrophoneError(told["error"])
        self.device, self.rate_hz, self.channels = told["name"], told["rate_hz"], told["channels"]
        self._clock = FrameClock(self.rate_hz)
        return True

    def read(self, timeout_s: float) -> Block | None:
        """All that has come, up to where frames are missing, or None where nothing comes in time.

        Raises:
            MicrophoneError: the capture has ended.
        """
        if not self._records:
            self._take_apart()
        if not self._records:
            self._fill(timeout_s)
            self._take_apart()
        if not self._records:
            return None
        together = [self._records.popleft()]
        while self._records and not self._records[0].missing_frames:
            together.append(self._records.popleft())
        frames = from_pcm16(b"".join(record.raw for record in together), self.channels)
        return Block(frames, together[0].missing_frames, captured_s=together[-1].at_s)

    @property
    def waiting_bytes(self) -> int:
        """What is captured and not yet read; what the capture itself still holds is not counted."""
        in_pipe = array.array("i", [0])
        with suppress(OSError, ValueError):  # closed a moment ago
            fcntl.ioctl(self._program.pipe, termios.FIONREAD, in_pipe)
        return len(self._bytes) + sum(len(record.raw) for record in list(self._records)) + in_pipe[0]

    def rest(self, *, wanted: bool) -> None:
        """Let what is quiet come in larger pieces from here on, or everything at once."""
        if wanted != self._rests:
            self._rests = wanted
            self._program.tell(json.dumps(wanted).encode() + b"\n")

    def close(self) -> None:
        """End the program."""
        self._program.end()

    def _take_apart(self) -> None:
        """The records that are whole."""
        begin = 0
        while len(self._bytes) - begin >= RECORD.size:
            length, dropped_frames, at_s = RECORD.unpack_from(self._bytes, begin)
            if len(self._bytes) - begin < RECORD.size + length:
                break
            begin += RECORD.size
            n_frames = length // (2 * self.channels)
            missing = dropped_frames + self._clock.push(n_frames + dropped_frames, at_s)
            self._records.append(_Record(self._bytes[begin : begin + length], missing, at_s))
            begin += length
        self._bytes = self._bytes[begin:]

    def _fill(self, timeout_s: float) -> None:
        if not select.select([self._program.pipe], [], [], timeout_s)[0]:
            return
        read = os.read(self._program.pipe, READ_BYTES)
        if not read:
            status = self._program.status()
            if self.device and not status:
                raise MicrophoneError(f"microphone {self.device!r} is gone: the device or its audio server has left")
            raise MicrophoneError(
                f"the capture of the microphone ended with status {status}; --log-level debug tells why"
            )
        self._bytes += read

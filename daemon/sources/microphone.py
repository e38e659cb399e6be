"""A microphone that is heard for ever: lost, it is looked for by its name until it is back."""

import array
import fcntl
import json
import logging
import os
import select
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from threading import Event

import numpy as np

from digitd.daemon.audio import Block, from_pcm16
from digitd.daemon.errors import MicrophoneError, StalledError
from digitd.daemon.sources.capture import RECORD
from digitd.daemon.sources.clock import FrameClock
from digitd.daemon.sources.source import Interruption

POLL_S = 0.1
READ_BYTES = 65536
OPEN_S = 6.0
"""An audio server that does not answer for so long is frozen."""
STALL_S = 2.0
"""A microphone that sends nothing for so long is stalled."""
FIRST_RETRY_S, LAST_RETRY_S = 0.2, 5.0
"""Pauses between attempts to open a lost microphone: each twice the one before. An attempt costs 0.1 s of a core."""

logger = logging.getLogger(__name__)


class MicrophoneSource:
    """Live audio of one microphone, captured by a process of its own.

    It opens while the caller does other things, until its `rate_hz` is asked for.

    Args:
        name: as `digitd devices` lists it; None takes the default.
        rate_hz: asked for first, so that nothing need be resampled; else the device's own.

    Raises:
        MicrophoneError: PyAudio is not installed, there is no such microphone, or it cannot be opened.
    """

    name = "mic"
    live = True

    def __init__(self, name: str | None, rate_hz: int) -> None:
        self._wanted = name
        self._capture = CaptureProcess(name, rate_hz)

    @cached_property
    def rate_hz(self) -> int:
        """Of its frames; asked for first, it waits until the microphone is open.

        Raises:
            MicrophoneError: see MicrophoneSource.
        """
        while not self._capture.opens(POLL_S):
            pass
        self._channels = self._capture.channels
        self._described = f"microphone {self._capture.device!r}"
        return self._capture.rate_hz

    def blocks(self, stop: Event) -> Iterator[Block | Interruption]:
        """Live chunks as they come; while none come, empty blocks ten times a second."""
        clock, away = FrameClock(self.rate_hz), False
        heard_s = opened_s = time.monotonic()
        while not stop.is_set():
            try:
                block = self._next(max(heard_s, opened_s))
            except MicrophoneError as error:
                if not away:  # else it came back, but without sound
                    logger.warning("%s", error)
                    yield Interruption("stalled" if isinstance(error, StalledError) else "lost")
                yield from self._find_again(stop)
                clock, away, opened_s = FrameClock(self.rate_hz), True, time.monotonic()
                continue
            if block is None:
                yield self._nothing
                continue
            yield self._in_time(block, clock, heard_s if away else None)
            heard_s, away = block.captured_s or heard_s, False

    def _next(self, since_s: float) -> Block | None:
        block = self._capture.read(POLL_S)
        if block is None and time.monotonic() - since_s >= STALL_S:
            raise StalledError(f"{self._described} has sent nothing for {STALL_S:g} s")
        return block

    def _in_time(self, block: Block, clock: FrameClock, lost_s: float | None) -> Block:
        """The block with what is missing before it, where it was lost at `lost_s` or since the last block."""
        n_frames, at_s = len(block.frames), block.captured_s or time.monotonic()
        missing = block.dropped_frames + clock.push(n_frames + block.dropped_frames, at_s)
        if lost_s is None:
            return replace(block, dropped_frames=missing)
        away_frames = round((at_s - lost_s) * self.rate_hz) - n_frames
        logger.warning("%s is back after %.1f s", self._described, away_frames / self.rate_hz)
        return replace(block, dropped_frames=max(1, away_frames), gap="back")

    def close(self) -> None:
        """Give the microphone back."""
        self._capture.close()

    @property
    def waiting_s(self) -> float:
        """How much audio waits to be taken in."""
        capture = self._capture  # it may be another one the next moment: this is asked for from any thread
        bytes_per_s = 2 * capture.channels * capture.rate_hz
        return capture.waiting_bytes / bytes_per_s if bytes_per_s else 0.0

    @property
    def _nothing(self) -> Block:
        return Block(np.zeros((0, self._channels), np.float32))

    def _find_again(self, stop: Event) -> Iterator[Block]:
        """Open the microphone anew, however often it takes; what it waits for is waited for in empty blocks."""
        pause_s, reason = FIRST_RETRY_S, ""
        while True:
            self._capture.close()
            try_s = time.monotonic() + pause_s
            while time.monotonic() < try_s:
                if stop.wait(POLL_S):
                    return
                yield self._nothing
            try:
                self._capture = CaptureProcess(self._wanted, self.rate_hz)
                while not self._capture.opens(POLL_S):
                    if stop.is_set():
                        return
                    yield self._nothing
                self._check_format()
                return
            except MicrophoneError as error:
                if str(error) != reason:  # once for each reason: it may be away for weeks
                    reason = str(error)
                    logger.warning("trying again for ever: %s", reason)
            pause_s = min(2 * pause_s, LAST_RETRY_S)

    def _check_format(self) -> None:
        found = self._capture
        if (found.rate_hz, found.channels) != (self.rate_hz, self._channels):
            raise MicrophoneError(
                f"microphone {found.device!r} now has {found.rate_hz} Hz and {found.channels} channel(s) in place of "
                f"{self.rate_hz} and {self._channels}; restart digitd"
            )


class CaptureProcess:
    """The running capture program of one microphone."""

    device = ""
    rate_hz = channels = 0

    def __init__(self, name: str | None, rate_hz: int) -> None:
        quiet = not logger.isEnabledFor(logging.DEBUG)
        reading, writing = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "digitd.daemon.sources.capture", *([name] if name else []), str(rate_hz)],
            stdin=subprocess.PIPE,
            stdout=writing,
            stderr=subprocess.DEVNULL if quiet else None,  # some 80 lines of ALSA's and JACK's
            start_new_session=True,  # a terminal's signals are for the daemon
        )
        os.close(writing)
        self._pipe = reading
        self._waiting = b""
        self._open_until_s = time.monotonic() + OPEN_S

    def opens(self, timeout_s: float) -> bool:
        """Whether it is open; False where that is not known yet.

        Raises:
            MicrophoneError: no such microphone, it cannot be opened, or its audio server does not answer.
        """
        self._fill(timeout_s)
        line, found, rest = self._waiting.partition(b"\n")
        if not found:
            if time.monotonic() >= self._open_until_s:
                raise MicrophoneError(f"the audio server has not answered for {OPEN_S:g} s; restart it")
            return False
        told, self._waiting = json.loads(line), rest
        if "error" in told:
            raise MicrophoneError(told["error"])
        self.device, self.rate_hz, self.channels = told["name"], told["rate_hz"], told["channels"]
        return True

    def read(self, timeout_s: float) -> Block | None:
        """The next chunk, or None where none comes in time.

        Raises:
            MicrophoneError: the capture has ended.
        """
        if not self._record():
            self._fill(timeout_s)
        record = self._record()
        if not record:
            return None
        self._waiting = self._waiting[len(record) :]
        _, dropped_frames, at_s = RECORD.unpack_from(record)
        return Block(from_pcm16(record[RECORD.size :], self.channels), dropped_frames, captured_s=at_s)

    @property
    def waiting_bytes(self) -> int:
        """What is captured and not yet read; what the capture itself still holds is not counted."""
        in_pipe = array.array("i", [0])
        with suppress(OSError, ValueError):  # closed a moment ago
            fcntl.ioctl(self._pipe, termios.FIONREAD, in_pipe)
        return len(self._waiting) + in_pipe[0]

    def close(self) -> None:
        """End the program, by a kill: PortAudio may hang with its audio server."""
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1
        self._process.kill()
        self._process.communicate()

    def _record(self) -> bytes:
        """The first record that waits whole, else nothing."""
        if len(self._waiting) < RECORD.size:
            return b""
        length = RECORD.size + RECORD.unpack_from(self._waiting)[0]
        return self._waiting[:length] if len(self._waiting) >= length else b""

    def _fill(self, timeout_s: float) -> None:
        if not select.select([self._pipe], [], [], timeout_s)[0]:
            return
        read = os.read(self._pipe, READ_BYTES)
        if not read:
            status = self._process.wait()
            if self.device and not status:
                raise MicrophoneError(f"microphone {self.device!r} is gone: the device or its audio server has left")
            raise MicrophoneError(
                f"the capture of the microphone ended with status {status}; --log-level debug tells why"
            )
        self._waiting += read

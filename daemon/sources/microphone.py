"""A microphone that is heard for ever: lost, it is looked for by its name until it is back."""

import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from threading import Event

import numpy as np

from digitd.daemon.audio import Block
from digitd.daemon.errors import MicrophoneError, StalledError
from digitd.daemon.sources.capture_process import CaptureProcess
from digitd.daemon.sources.source import POLL_S, Interruption

STALL_S = 2.0
"""A microphone that sends nothing for so long is stalled."""
RESTING_S = 0.35
"""A quiet room is waited for so long at a time."""
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
    patience_s = POLL_S
    rests = False
    """Whether the room is quiet: then it may come in larger pieces, until it is louder."""

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
        """What has come at a time, all together; empty blocks while nothing comes."""
        self.rate_hz  # noqa: B018 - it waits until the microphone is open
        away = False
        heard_s = opened_s = time.monotonic()
        while not stop.is_set():
            try:
                block = self._next(max(heard_s, opened_s))
            except MicrophoneError as error:
                if not away:  # else it came back, but without sound
                    logger.warning("%s", error)
                    yield Interruption("stalled" if isinstance(error, StalledError) else "lost")
                yield from self._find_again(stop)
                away, opened_s = True, time.monotonic()
                continue
            if block is None:
                yield self._nothing
                continue
            yield self._back(block, heard_s) if away else block
            heard_s, away = block.captured_s or heard_s, False

    def _next(self, since_s: float) -> Block | None:
        self._capture.rest(wanted=self.rests)
        block = self._capture.read(RESTING_S if self.rests and self.patience_s else self.patience_s)
        if block is None and time.monotonic() - since_s >= STALL_S:
            raise StalledError(f"{self._described} has sent nothing for {STALL_S:g} s")
        return block

    def _back(self, block: Block, lost_s: float) -> Block:
        """The first block after a loss, with what is missing since the last sound before it."""
        away_frames = round(((block.captured_s or time.monotonic()) - lost_s) * self.rate_hz) - len(block.frames)
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
                time.sleep(self.patience_s)  # not `stop.wait`: a signal's handler that sets it may find its lock held
                if stop.is_set():
                    return
                yield self._nothing
            try:
                self._capture = CaptureProcess(self._wanted, self.rate_hz)
                while not self._capture.opens(self.patience_s):
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

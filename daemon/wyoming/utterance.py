"""What a client says between its `audio-start` and `audio-stop`: samples go to the daemon, digits come back."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress

from digitd.daemon.errors import DigitdError, SinkError
from digitd.daemon.events import Digit, Event, Ready, String
from digitd.daemon.wyoming.ear import ANSWER_S, Ear, silent
from digitd.daemon.wyoming.refusal import RefusedError
from digitd.daemon.wyoming.sound import Converter, Sound

LONGEST_S = 3600.0
"""Of sound: a client that has forgotten its `audio-stop` must not be heard for ever."""


class Utterance:
    """Heard while it is said; no more of it is kept than a piece that the daemon has not taken yet.

    Args:
        ear: who hears.
        sound: of the samples.
        tell: called with each digit as soon as it is heard.
    """

    def __init__(self, ear: Ear, sound: Sound, tell: Callable[[str], Awaitable[None]]) -> None:
        self.sound = sound
        self._ear, self._tell = ear, tell
        self._converter = Converter(sound)
        self._left_bytes = LONGEST_S * sound.bytes_per_s
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue(1)
        self._all_sent = False
        self._hearing = asyncio.create_task(self._hear(), name="utterance")
        self._hearing.add_done_callback(self._let_go)

    @property
    def rest_bytes(self) -> int:
        """Of a last frame that was cut."""
        return self._converter.rest_bytes

    async def take(self, piece: bytes) -> None:
        """Pass some samples on; it returns once there is room for more.

        Raises:
            RefusedError: it has become too long.
            DigitdError: the daemon hears it no further.
        """
        self._left_bytes -= len(piece)
        if self._left_bytes < 0:
            raise RefusedError("too-large", f"an utterance of more than {LONGEST_S:g} s; send audio-stop in between")
        if samples := self._converter.pcm16(piece):
            await self._pass_on(samples)

    async def finish(self) -> list[str]:
        """The strings that were said.

        Raises:
            DigitdError: the daemon does not hear it to its end.
        """
        await self._pass_on(b"")
        try:
            async with asyncio.timeout(ANSWER_S):
                return await self._hearing
        except TimeoutError as error:
            raise silent(self._ear.path) from error

    async def abandon(self) -> None:
        """Leave it; the daemon's stream ends."""
        self._hearing.cancel()
        with suppress(asyncio.CancelledError, DigitdError, RefusedError, ConnectionError):
            await self._hearing

    async def _pass_on(self, samples: bytes) -> None:
        """Samples, or none at their end."""
        try:
            async with asyncio.timeout(ANSWER_S):
                if not self._hearing.done():
                    await self._waiting.put(samples)
        except TimeoutError as error:
            raise silent(self._ear.path) from error
        if self._hearing.done():
            self._hearing.result()  # raises why

    def _let_go(self, hearing: "asyncio.Task[list[str]]") -> None:
        """Whoever waits to pass something on need not wait any more."""
        if not self._waiting.empty():
            self._waiting.get_nowait()
        if not hearing.cancelled():
            hearing.exception()  # told to who asks next; or nobody is there any more

    async def _hear(self) -> list[str]:
        strings: list[str] = []
        heard = self._ear.hear(self._samples(), self.sound.rate_hz, self.sound.channels)
        try:
            async with asyncio.timeout(ANSWER_S) as patience, aclosing(heard) as events:
                async for event in events:
                    match event:
                        case Event(body=Ready()):
                            patience.reschedule(None)
                        case Event(body=Digit(digit=digit)):
                            await self._tell(digit)
                        case Event(body=String(digits=digits)):
                            strings.append(digits)
        except TimeoutError as error:
            raise silent(self._ear.path) from error
        if not self._all_sent:
            raise SinkError(f"{self._ear.path}: the daemon has ended in the middle of the utterance; say it again")
        return strings

    async def _samples(self) -> AsyncGenerator[bytes, None]:
        while samples := await self._waiting.get():
            yield samples
        self._all_sent = True

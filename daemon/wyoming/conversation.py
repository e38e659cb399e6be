"""One client's connection: what it asks for, in its order, and what it is answered."""

import asyncio
import logging
from dataclasses import dataclass

from wyoming.asr import Transcribe, Transcript, TranscriptChunk, TranscriptStart, TranscriptStop
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.error import Error
from wyoming.event import Event, Eventable
from wyoming.info import Describe
from wyoming.ping import Ping, Pong
from wyoming.server import AsyncEventHandler

from digitd.daemon.errors import DigitdError
from digitd.daemon.wyoming.ear import Ear
from digitd.daemon.wyoming.inbox import Inbox
from digitd.daemon.wyoming.introduction import LANGUAGE, introduction
from digitd.daemon.wyoming.limits import Limits
from digitd.daemon.wyoming.refusal import RefusedError
from digitd.daemon.wyoming.sound import Sound, sound_of
from digitd.daemon.wyoming.utterance import Utterance

READ_BYTES = 64 * 1024

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Manner:
    """How digits are written down."""

    separator: str = ""
    """Between digits."""
    streams: bool = True
    """Whether each digit is sent as it is heard, before the transcript."""


class Conversation(AsyncEventHandler):
    """Answers one client until it leaves, is refused, or has to go.

    Args:
        reader, writer: its connection.
        ear: who hears what it says.
        manner: how it is answered.
        limits: how long it is waited for.
        who: for the log.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        ear: Ear,
        manner: Manner,
        limits: Limits,
        who: str,
    ) -> None:
        super().__init__(reader, writer)
        self._ear, self._manner, self._limits, self._who = ear, manner, limits, who
        self._inbox = Inbox(reader)
        self._utterance: Utterance | None = None
        self._told = 0

    @property
    def _patience_s(self) -> float:
        return self._limits.stall_s if self._utterance else self._limits.idle_s

    async def run(self) -> None:
        """Converse to the end."""
        try:
            while event := await self._inbox.next(self._patience_s):
                await self.handle_event(event)
            if self._utterance:  # the client sends no more, or we have to go: what was said is answered
                await self._end()
        except RefusedError as error:
            await self.refuse(error)
        except DigitdError as error:
            await self.refuse(RefusedError("recogniser", str(error)))
        except ConnectionError:
            logger.info("%s has left", self._who)
        finally:
            await self.disconnect()
            self.writer.close()

    async def disconnect(self) -> None:
        """Leave alone what was begun."""
        if self._utterance:
            utterance, self._utterance = self._utterance, None
            await utterance.abandon()

    async def stop(self) -> None:
        """Take nothing more; what was said until now is still answered."""
        self._inbox.close()

    async def refuse(self, error: RefusedError) -> None:
        """Tell why, and hang up once the client has had a chance to read it."""
        level = logging.WARNING if error.code == "recogniser" else logging.INFO
        logger.log(level, "%s is refused: %s", self._who, error)
        await self.disconnect()
        try:
            await self._send(Error(str(error), error.code))
            async with asyncio.timeout(self._limits.linger_s):
                self.writer.write_eof()
                while await self.reader.read(READ_BYTES):
                    pass
        except (ConnectionError, OSError, TimeoutError, RefusedError):
            self.writer.transport.abort()

    async def handle_event(self, event: Event) -> bool:
        """Answer one event; a type that is unknown or not for us is let pass, as the protocol asks.

        Raises:
            RefusedError: it cannot be answered.
            DigitdError: the daemon does not hear us.
        """
        if AudioChunk.is_type(event.type):
            await self._hear(event)
        elif AudioStart.is_type(event.type):
            if self._utterance:
                raise RefusedError("order", "audio-start came twice; send audio-stop in between")
            self._begin(sound_of(event))
        elif AudioStop.is_type(event.type):
            await self._end()
        elif Transcribe.is_type(event.type):
            await self._expect(Transcribe.from_event(event))
        elif Describe.is_type(event.type):
            await self._send(introduction(await self._ear.model(), streams=self._manner.streams))
        elif Ping.is_type(event.type):
            await self._send(Pong(Ping.from_event(event).text))
        return True

    async def _expect(self, wanted: Transcribe) -> None:
        language = wanted.language
        if language and str(language).replace("_", "-").partition("-")[0].lower() != LANGUAGE:
            raise RefusedError("language", f"language {language!a:.40} is not spoken here; ask for {LANGUAGE!r}")
        if wanted.name and wanted.name != (model := await self._ear.model()):
            raise RefusedError("model", f"model {wanted.name!a:.40} does not run here; ask for {model!a}, or for none")

    def _begin(self, sound: Sound) -> Utterance:
        self._told = 0
        self._utterance = Utterance(self._ear, sound, self._tell)
        return self._utterance

    async def _hear(self, event: Event) -> None:
        sound = sound_of(event)
        utterance = self._utterance or self._begin(sound)  # many begin with the first chunk
        if sound != utterance.sound:
            raise RefusedError("format", f"audio-chunk: {sound} in an utterance that began with {utterance.sound}")
        await utterance.take(event.payload or b"")

    async def _end(self) -> None:
        """Answer what was said; to who has said nothing too, who waits for it."""
        strings: list[str] = []
        if utterance := self._utterance:
            strings = await utterance.finish()
            self._utterance = None
            if utterance.rest_bytes:
                logger.warning(
                    "%s: its sound ended within a sample; %d bytes are left out", self._who, utterance.rest_bytes
                )
        text = self._manner.separator.join("".join(strings))
        transcript = Transcript(text, language=LANGUAGE)
        if not self._manner.streams:
            await self._send(transcript)
            return
        await self._send(*([] if self._told else [TranscriptStart(language=LANGUAGE)]), transcript, TranscriptStop())

    async def _tell(self, digit: str) -> None:
        if not self._manner.streams:
            return
        chunk = TranscriptChunk(self._manner.separator * bool(self._told) + digit)
        begin = [] if self._told else [TranscriptStart(language=LANGUAGE)]
        self._told += 1
        await self._send(*begin, chunk)

    async def _send(self, *answers: Eventable) -> None:
        try:
            async with asyncio.timeout(self._limits.stall_s):
                for answer in answers:
                    await self.write_event(answer.event())
        except UnicodeEncodeError as error:  # half a character, which JSON lets through
            raise RefusedError("not-an-event", f"what is to be sent back is no text ({error.reason})") from error
        except TimeoutError:
            raise RefusedError("timeout", f"what it was told was left unread for {self._limits.stall_s:g} s") from None

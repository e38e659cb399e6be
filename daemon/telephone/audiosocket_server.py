"""Asterisk's calls over AudioSocket: each a connection, each a stream with the call's UUID for a name."""

import asyncio
import logging
import uuid

from digitd.daemon.client.news import Unknown
from digitd.daemon.errors import AudioError, SinkError
from digitd.daemon.events import Event, String
from digitd.daemon.telephone.audiosocket_frame import DTMF, ERROR, HANG_UP, RATES_HZ, UUID, Frame, next_frame
from digitd.daemon.telephone.call import Call
from digitd.daemon.telephone.exchange import Exchange
from digitd.daemon.telephone.talkback import Talkback

OPEN_S = 5.0
"""Asterisk tells the UUID at once."""
SILENT_S = 30.0
"""Who sends no frame for so long is no caller any more."""
MAX_AUDIO_BYTES = 32768
"""Of a frame: Asterisk's, of 20 ms, have at most 7680."""

logger = logging.getLogger(__name__)


class AudioSocketServer:
    """Answers Asterisk's `AudioSocket(UUID,HOST:PORT)`.

    Args:
        exchange: where calls go.
        one_string: hang up once a caller has said a legal string: the dialplan goes on.
        places: so many connections there may be that are no call yet.
    """

    def __init__(self, exchange: Exchange, places: int, *, one_string: bool) -> None:
        self._exchange, self._places, self._one_string = exchange, places, one_string
        self._coming: set[asyncio.Task[None]] = set()

    def receive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection, in a task of its own."""
        if len(self._coming) >= self._places or self._exchange.is_full:
            self._exchange.complain("AudioSocket", "no place for one more call")
            writer.close()
            return
        task = asyncio.create_task(self._greet(reader, writer))
        self._coming.add(task)
        task.add_done_callback(self._coming.discard)

    async def close(self) -> None:
        """Send away who is no call yet."""
        for task in self._coming:
            task.cancel()
        await asyncio.gather(*self._coming, return_exceptions=True)

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Learn who calls, and at which rate, and have him heard."""
        talkback = Talkback(writer)
        kept_alive = asyncio.create_task(talkback.keep_alive())
        try:
            async with asyncio.timeout(OPEN_S):
                name = _named(await next_frame(reader))
            async with asyncio.timeout(SILENT_S):
                first = await _sound(reader, name)
            if self._exchange.is_full:  # by those who came in with him
                raise SinkError(f"{name}: no place for one more call")
        except BaseException as error:
            kept_alive.cancel()
            await talkback.hang_up()
            if not isinstance(error, AudioError | SinkError | EOFError | OSError):
                raise
            logger.warning("a connection is closed: %s", _told(error))
            return

        def heed(event: Event | Unknown) -> None:
            if self._one_string and isinstance(event, Event) and isinstance(event.body, String) and event.body.legal:
                call.end()

        call = self._exchange.call(name, RATES_HZ[first.kind], heed)

        async def attend() -> None:
            try:
                await _hear(call, first, reader, talkback)
            except SinkError as error:
                self._exchange.complain(call.name, str(error))
            finally:
                kept_alive.cancel()
                await talkback.hang_up()
                logger.info("%s ends", call.name)

        self._exchange.run(call, attend)


async def _hear(call: Call, first: Frame, reader: asyncio.StreamReader, talkback: Talkback) -> None:
    """Hear a caller to his end.

    Raises:
        SinkError: no daemon hears him.
    """
    listening = asyncio.create_task(_listen(call, first, reader, talkback))
    try:
        await call.run()
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def _listen(call: Call, first: Frame, reader: asyncio.StreamReader, talkback: Talkback) -> None:
    """Take in what he says until he hangs up, or sends what cannot be heard."""
    frame = first
    try:
        while frame.kind != HANG_UP:
            if frame.kind in RATES_HZ:
                talkback.answer(frame)
                await call.hear(_samples(frame, first.kind))
            else:
                _note(frame, call.name)
            async with asyncio.timeout(SILENT_S):
                frame = await next_frame(reader)
    except AudioError as error:
        logger.warning("%s: %s", call.name, error)
    except (EOFError, OSError) as error:
        logger.info("%s: %s", call.name, _told(error))
    finally:
        call.end()


def _named(frame: Frame) -> str:
    """The UUID that comes first.

    Raises:
        AudioError: it does not.
    """
    if frame.kind != UUID or len(frame.payload) != 16:
        raise AudioError(f"a frame of kind {frame.kind:#x} and {len(frame.payload)} bytes is no call's UUID")
    return str(uuid.UUID(bytes=frame.payload))


async def _sound(reader: asyncio.StreamReader, name: str) -> Frame:
    """The first frame that has any."""
    while (frame := await next_frame(reader)).kind not in RATES_HZ:
        if frame.kind == HANG_UP:
            raise EOFError("hung up before any sound")
        _note(frame, name)
    return frame


def _samples(frame: Frame, kind: int) -> bytes:
    """Of a frame of sound.

    Raises:
        AudioError: it is not of this kind, or holds no whole samples.
    """
    if frame.kind != kind:
        raise AudioError(f"the rate changes from {RATES_HZ[kind]} to {RATES_HZ[frame.kind]} Hz within a call")
    if len(frame.payload) % 2 or len(frame.payload) > MAX_AUDIO_BYTES:
        raise AudioError(f"a frame of {len(frame.payload)} bytes: sound has 2 a sample, at most {MAX_AUDIO_BYTES}")
    return frame.payload


def _note(frame: Frame, name: str) -> None:
    """Write down what is no sound; which key was pressed is nobody's business."""
    if frame.kind == ERROR:
        logger.warning("%s: Asterisk tells of an error, %s", name, frame.payload[:1].hex() or "of no kind")
    else:
        logger.debug("%s: %s", name, "a key was pressed" if frame.kind == DTMF else f"a frame of kind {frame.kind:#x}")


def _told(error: BaseException) -> str:
    """Why there is no next frame."""
    if isinstance(error, TimeoutError):
        return "nothing came for too long"
    return "it was hung up" if isinstance(error, asyncio.IncompleteReadError) else str(error)

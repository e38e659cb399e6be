"""A stream that a program sends: its samples go to the daemon's audio socket, its events come back."""

import asyncio
import json
import socket
import threading
from collections.abc import AsyncGenerator, AsyncIterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from digitd.daemon.client.news import Unknown, known
from digitd.daemon.client.place import Place, placed
from digitd.daemon.client.samples import Audio, Samples, pcm16, pieces
from digitd.daemon.errors import SinkError
from digitd.daemon.events import End, Event
from digitd.daemon.follower import MAX_LINE_BYTES, connected, nobody
from digitd.daemon.mode import Mode
from digitd.daemon.received import received


def recognise(
    audio: Audio, where: str | Path, *, rate_hz: int = 16000, channels: int = 1, stream: str = "",
    mode: Mode | None = None,
) -> Iterator[Event | Unknown]:  # fmt: skip
    """The events of a stream of our own, the last of them its `end`.

    Args:
        audio: a file that gives raw s16le, an array of int16 or of floats, or pieces of either as they come.
        where: the socket that `digitd run --source unix:PATH` was given.
        rate_hz: of the samples.
        channels: interleaved.
        stream: the stream's name; empty: the daemon makes one up.
        mode: to go by; else the daemon's.

    Raises:
        DigitdError: nobody answers, the daemon has no room or refuses, it hangs up, or `audio` is no sound.
    """
    place, failures = placed(where), list[BaseException]()
    with connected(place.path) as connection:
        with suppress(ConnectionError):  # who has hung up already may have told why
            connection.sendall(_greeting(rate_hz, channels, stream, mode))
        sender = threading.Thread(target=_send, args=(connection, audio, failures), name="audio", daemon=True)
        try:
            with connection.makefile("rb") as lines:
                _welcome(place, lines.readline(MAX_LINE_BYTES))
                sender.start()
                for line in lines:
                    yield (event := _told(place, line))
                    if isinstance(event, Event) and isinstance(event.body, End):
                        break
                else:
                    raise SinkError(f"{place}: the daemon hung up before the end of the stream")
        except ConnectionError as error:
            raise SinkError(f"{place}: the daemon hung up before the end of the stream") from error
        finally:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            if failures:
                raise failures[0]


async def arecognise(
    audio: Audio | AsyncIterable[Samples], where: str | Path, *, rate_hz: int = 16000, channels: int = 1,
    stream: str = "", mode: Mode | None = None,
) -> AsyncGenerator[Event | Unknown, None]:  # fmt: skip
    """The same for asyncio; see `recognise`. Pieces may come asynchronously.

    Raises:
        DigitdError: as `recognise`.
    """
    place = placed(where)
    try:
        reader, writer = await asyncio.open_unix_connection(str(place.path), limit=MAX_LINE_BYTES)
    except OSError as error:
        raise nobody(place.path, error) from error
    sending: asyncio.Task[None] | None = None
    try:
        writer.write(_greeting(rate_hz, channels, stream, mode))
        _welcome(place, await reader.readline())
        sending = asyncio.create_task(_asend(writer, audio))
        while line := await reader.readline():
            yield (event := _told(place, line))
            if isinstance(event, Event) and isinstance(event.body, End):
                break
        else:
            raise SinkError(f"{place}: the daemon hung up before the end of the stream")
    except OSError as error:  # also of a connection that was never taken up
        raise SinkError(f"{place}: the daemon hung up before the end of the stream") from error
    finally:
        writer.close()
        if sending is not None:
            sending.cancel()
            with suppress(asyncio.CancelledError, ConnectionError):
                await sending


def _greeting(rate_hz: int, channels: int, stream: str, mode: Mode | None) -> bytes:
    given: dict[str, Any] = {"stream": stream, "rate_hz": rate_hz, "channels": channels, "mode": mode}
    return json.dumps({key: value for key, value in given.items() if value}).encode() + b"\n"


def _welcome(place: Place, line: bytes) -> None:
    """Nothing, where we are heard."""
    if _answer(line).get("type") != "accepted":
        _refuse(place, line)
        raise SinkError(f"{place}: no answer; is it a `--source unix:PATH` that is there?")


def _answer(line: bytes) -> dict[str, Any]:
    """What a line of JSON holds; nothing, where it is none."""
    try:
        told = json.loads(line)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _told(place: Place, line: bytes) -> Event | Unknown:
    _refuse(place, line)
    return known(received(line.rstrip(b"\n")))


def _refuse(place: Place, line: bytes) -> None:
    """Raises SinkError where a line tells that we are not heard, or no further."""
    if b'"refused"' in line and (told := _answer(line)).get("type") == "refused":
        raise SinkError(f"{place}: {told.get('reason', 'refused')}")


def _send(connection: socket.socket, audio: Audio, failures: list[BaseException]) -> None:
    """All of it, and then the end of it; what is wrong with the sound ends the reading too."""
    try:
        for piece in pieces(audio):
            connection.sendall(piece)
        connection.shutdown(socket.SHUT_WR)
    except OSError:  # the daemon has hung up, which the reading tells; or we have
        return
    except BaseException as failure:
        failures.append(failure)
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


async def _asend(writer: asyncio.StreamWriter, audio: Audio | AsyncIterable[Samples]) -> None:
    """The same for asyncio; it fails with what is wrong with the sound."""
    try:
        async for piece in _apieces(audio):
            with _hung_up():
                writer.write(piece)
                await writer.drain()
        with _hung_up():
            writer.write_eof()
    except BaseException:
        writer.transport.abort()  # ends the reading too
        raise


@contextmanager
def _hung_up() -> Iterator[None]:
    """Raises ConnectionError for all that may befall a connection: ENOTCONN is another OSError."""
    try:
        yield
    except OSError as error:
        raise ConnectionError(*error.args) from error


async def _apieces(audio: Audio | AsyncIterable[Samples]) -> AsyncGenerator[bytes, None]:
    if isinstance(audio, AsyncIterable):
        async for samples in audio:
            yield pcm16(samples)
        return
    waiting = pieces(audio)
    while piece := await asyncio.to_thread(next, waiting, b""):  # whoever reads a pipe may have to wait
        yield piece

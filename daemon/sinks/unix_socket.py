"""A Unix socket that any number of readers may follow; none of them can hold the others or the capture up."""

import asyncio
import logging
import os
import socket
import threading
from pathlib import Path

from digitd.daemon.errors import SinkError
from digitd.daemon.events import Event, Ready

MAX_PATH_BYTES = 107
"""sun_path of unix(7) less its closing zero."""
MAX_WAITING_BYTES = 256 * 1024
"""A reader that leaves more unread, some 1,500 events beyond the kernel's buffer, is dropped."""
CLOSE_S = 0.5

logger = logging.getLogger(__name__)


class UnixSocketSink:
    """Serves events as JSON lines; a new reader is first sent the latest `ready` event.

    Raises:
        SinkError: the path is too long, taken by a live process or by a file, or not writable.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._listener = listen(path)
        self._ready = b""
        self._readers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="unix-socket", daemon=True)
        self._thread.start()

    def publish(self, event: Event) -> None:
        """Queue the event for every reader; returns at once."""
        line = event.to_json().encode() + b"\n"
        self._loop.call_soon_threadsafe(self._send, line, isinstance(event.body, Ready))

    def close(self) -> None:
        """Send the readers what is theirs, for CLOSE_S at most, and remove the socket."""
        asyncio.run_coroutine_threadsafe(self._drain(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._path.unlink(missing_ok=True)

    def _serve(self) -> None:
        """The socket's own thread."""
        server = self._loop.run_until_complete(asyncio.start_unix_server(self._follow, sock=self._listener))
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))  # lets the readers' tasks see their cancellation
        self._loop.close()

    async def _follow(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Keep one reader until it leaves; what it sends is read and dropped."""
        self._readers.add(writer)
        writer.write(self._ready)
        try:
            while await reader.read(4096):
                pass
        except OSError as error:
            logger.info("a reader of %s broke off: %s", self._path, error)
        finally:
            self._readers.discard(writer)
            writer.close()

    def _send(self, line: bytes, is_ready: bool) -> None:
        if is_ready:
            self._ready = line
        for writer in list(self._readers):
            writer.write(line)
            waiting_bytes = writer.transport.get_write_buffer_size()
            if waiting_bytes > MAX_WAITING_BYTES:
                logger.warning("a reader of %s left %d bytes unread and is dropped", self._path, waiting_bytes)
                self._readers.discard(writer)
                writer.transport.abort()

    async def _drain(self) -> None:
        closing = [asyncio.ensure_future(_flush(writer)) for writer in list(self._readers)]
        if closing:
            await asyncio.wait(closing, timeout=CLOSE_S)


async def _flush(writer: asyncio.StreamWriter) -> None:
    writer.close()
    await writer.wait_closed()


def listen(path: Path) -> socket.socket:
    """A listening socket at `path`, for its owner alone; a stale one that nobody answers on is replaced.

    Raises:
        SinkError: see UnixSocketSink.
    """
    if len(os.fsencode(path)) > MAX_PATH_BYTES:
        raise SinkError(
            f"{path}: {len(os.fsencode(path))} bytes are too long for a socket; at most {MAX_PATH_BYTES} fit"
        )
    if path.is_socket():
        _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX)
    mask = os.umask(0o177)
    try:
        listener.bind(os.fspath(path))
        listener.listen()
    except OSError as error:
        listener.close()
        raise SinkError(f"{path}: no socket can be made there ({error.strerror}); name a free path") from error
    finally:
        os.umask(mask)
    return listener


def _remove_stale(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            logger.info("%s: stale socket removed", path)
            path.unlink(missing_ok=True)
            return
        except OSError as error:
            raise SinkError(f"{path}: cannot be tried ({error.strerror}); name another path") from error
    raise SinkError(f"{path}: a live process answers there; stop it or name another path")

"""A Unix socket that any number of readers may follow, ask for the other mode, and look on through.

None of them can hold the others or the capture up.
"""

import asyncio
import grp
import logging
import os
import resource
import select
import socket
import struct
import threading
from contextlib import suppress
from pathlib import Path

from digitd.daemon.errors import ConfigError, SinkError
from digitd.daemon.events import End, Event, Ready
from digitd.daemon.request import Lines, Request, refusal, requested
from digitd.daemon.sinks.sink import Backlog, Surroundings

MAX_PATH_BYTES = 107
"""sun_path of unix(7) less its closing zero."""
MAX_WAITING_BYTES = 256 * 1024
"""A reader that leaves more unread, some 1,500 events beyond the kernel's buffer, is dropped."""
MAX_SHOWN_BYTES = 64 * 1024
"""A reader that leaves more unread is shown no glimpse until it has caught up."""
BACKLOG = 512
"""So many may knock at the same moment."""
ACCEPTED_AT_ONCE = 16
"""By asyncio, before it looks at any of them."""
MAX_READERS = 600
"""More are turned away: each takes a descriptor, and a process that has none left dies of something else."""
RESERVED_DESCRIPTORS = 128
"""For everything else, and for those that are just being turned away."""
CLOSE_S = 0.3
POLL_S = 0.05
HALF_CLOSED_POLL_S = 1.0

_CREDENTIALS = struct.Struct("3i")  # struct ucred of unix(7)

logger = logging.getLogger(__name__)


class UnixSocketSink:
    """Serves events as JSON lines; a new reader is first sent the latest `ready` of each stream.

    Raises:
        SinkError: the path is too long, taken by a live process or by a file, or not writable; no such group.
    """

    def __init__(self, path: Path, surroundings: Surroundings) -> None:
        self._path, self._surroundings = path, surroundings
        self._switch = surroundings.switch
        given = surroundings.handed_over.pop(path, None)
        self._listener = given or listen(path, surroundings.socket_config.group)
        self._inode = None if given else path.stat().st_ino  # one that was handed over is not ours to remove
        self._ready: dict[str, bytes] = {}  # the latest of each stream
        self._readers: set[asyncio.StreamWriter] = set()
        self._watchers: set[asyncio.StreamWriter] = set()
        self._most_readers = min(MAX_READERS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - RESERVED_DESCRIPTORS)
        self._turns_away = False
        self._closing = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="unix-socket", daemon=True)
        self._thread.start()

    @property
    def backlog(self) -> Backlog:
        """Readers, and what waits for them."""
        readers = list(self._readers)
        return Backlog(len(readers), sum(writer.transport.get_write_buffer_size() for writer in readers))

    def publish(self, event: Event) -> None:
        """Queue the event for every reader; returns at once."""
        line = event.to_json().encode() + b"\n"
        self._loop.call_soon_threadsafe(self._send, line, event)

    @property
    def watched(self) -> bool:
        """Whether a reader has asked for glimpses."""
        return bool(self._watchers)

    def show(self, glimpse: str) -> None:
        """Queue the glimpse for every reader that asked for them and keeps up; returns at once."""
        self._loop.call_soon_threadsafe(self._show, glimpse.encode() + b"\n")

    def close(self) -> None:
        """Send the readers what is theirs, for CLOSE_S at most, and remove the socket."""
        self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join()
        if self._inode is None:
            return
        with suppress(FileNotFoundError):
            if self._path.stat().st_ino == self._inode:  # else another process has taken the path since
                self._path.unlink()

    def _run(self) -> None:
        """The socket's own thread."""
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_unix_server(self._follow, sock=self._listener, backlog=ACCEPTED_AT_ONCE)
        self._listener.listen(BACKLOG)  # asyncio has made the queue as short as what it accepts at once
        await self._closing.wait()
        # server.close() comes last: it would break a reader that has just been accepted (python/cpython#109564)
        self._loop.remove_reader(self._listener)
        deadline_s = self._loop.time() + CLOSE_S
        while following := asyncio.all_tasks() - {asyncio.current_task()}:
            for writer in self._readers:
                writer.close()  # once it has sent what waits; then `_follow` ends
                if self._loop.time() > deadline_s:
                    writer.transport.abort()
            await asyncio.wait(following, timeout=POLL_S)
        server.close()

    async def _follow(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Keep one reader until it leaves; what it asks for is done or refused."""
        if len(self._readers) >= self._most_readers:
            self._turn_away(writer)
            return
        self._turns_away = False
        self._readers.add(writer)
        if logger.isEnabledFor(logging.INFO):
            logger.info("a reader of %s: %s", self._path, _peer(writer))
        for ready in list(self._ready.values()):
            self._write(ready, writer)
        try:
            await self._heed(reader, writer)
            while not writer.is_closing() and not _hung_up(writer):
                with suppress(TimeoutError):  # it will send nothing more, but still reads
                    await asyncio.wait_for(self._closing.wait(), HALF_CLOSED_POLL_S)
                    break
            writer.close()
            await writer.wait_closed()
        except OSError as error:
            logger.info("a reader of %s broke off: %s", self._path, error)
        finally:
            self._readers.discard(writer)
            self._watchers.discard(writer)

    def _turn_away(self, writer: asyncio.StreamWriter) -> None:
        """Close the connection of one too many; the log is told of the first."""
        if not self._turns_away:
            logger.warning("%s has %d readers; more are turned away", self._path, len(self._readers))
        self._turns_away = True
        writer.transport.abort()

    async def _heed(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a reader's requests until it sends nothing more."""
        lines = Lines()
        while sent := await reader.read(4096):
            self._request(lines.push(sent), writer)
        self._request(lines.finish(), writer)

    def _request(self, asked: list[bytes], writer: asyncio.StreamWriter) -> None:
        """Do what can be done before anything is refused: a refusal to one that has left ends the reading of it."""
        refusals = []
        for line in asked:
            try:
                self._grant(requested(line), writer)
            except ConfigError as error:
                refusals.append(refusal(error))
        for line in refusals:
            self._write(line, writer)

    def _grant(self, request: Request, writer: asyncio.StreamWriter) -> None:
        if request.mode is not None:
            self._switch.wanted = request.mode
        if request.glimpses:
            self._watchers.add(writer)
        elif request.glimpses is not None:
            self._watchers.discard(writer)

    def _show(self, line: bytes) -> None:
        for writer in list(self._watchers):
            if writer.transport.get_write_buffer_size() <= MAX_SHOWN_BYTES:
                self._write(line, writer)

    def _send(self, line: bytes, event: Event) -> None:
        if isinstance(event.body, Ready):
            self._ready[event.stream] = line
        elif isinstance(event.body, End):
            self._ready.pop(event.stream, None)
        for writer in list(self._readers):
            self._write(line, writer)

    def _write(self, line: bytes, writer: asyncio.StreamWriter) -> None:
        """Queue a line for one reader, and drop the reader where too much waits for it."""
        if writer.is_closing() or _hung_up(writer):  # a failed write would lose what it sent before it left
            return
        writer.write(line)
        waiting_bytes = writer.transport.get_write_buffer_size()
        if waiting_bytes > MAX_WAITING_BYTES:
            logger.warning("a reader of %s left %d bytes unread and is dropped", self._path, waiting_bytes)
            self._readers.discard(writer)
            self._surroundings.count_dropped("readers", 1)
            writer.transport.abort()


def _peer(writer: asyncio.StreamWriter) -> str:
    """Who is on the other side, as the kernel knows it."""
    packed = writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return "pid {}, uid {}, gid {}".format(*_CREDENTIALS.unpack(packed))


def _hung_up(writer: asyncio.StreamWriter) -> bool:
    """True where the other side has closed both directions; end of file alone tells of one."""
    poll = select.poll()
    poll.register(writer.get_extra_info("socket").fileno(), 0)
    return any(event & select.POLLHUP for _, event in poll.poll(0))


def listen(path: Path, group: str = "") -> socket.socket:
    """A listening socket at `path`, for its owner and a group; a stale one that nobody answers on is replaced.

    Raises:
        SinkError: see UnixSocketSink.
    """
    if len(os.fsencode(path)) > MAX_PATH_BYTES:
        raise SinkError(
            f"{path}: {len(os.fsencode(path))} bytes are too long for a socket; at most {MAX_PATH_BYTES} fit"
        )
    if "\0" in str(path):
        raise SinkError(f"{str(path)!r}: a path holds no NUL; name another")
    try:
        if path.is_socket():
            _remove_stale(path)
    except PermissionError as error:
        raise SinkError(f"{path}: cannot be looked at ({error.strerror}); name another path") from error
    listener = socket.socket(socket.AF_UNIX)
    mask = os.umask(0o177)
    try:
        listener.bind(os.fspath(path))
        _admit(path, group)
        listener.listen(BACKLOG)
    except (LookupError, PermissionError) as error:
        listener.close()
        path.unlink(missing_ok=True)
        raise SinkError(
            f"{path}: cannot be given to group {group!r} ({error}); name one that the owner is in"
        ) from error
    except OSError as error:
        listener.close()
        raise SinkError(f"{path}: no socket can be made there ({error.strerror}); name a free path") from error
    finally:
        os.umask(mask)
    return listener


def _admit(path: Path, group: str) -> None:
    """Let a group connect; the mask has kept everybody else out since the socket is there."""
    if group and (wanted := grp.getgrnam(group).gr_gid) != path.stat().st_gid:  # a sandbox may forbid any chown
        os.chown(path, -1, wanted)
    path.chmod(0o660)


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

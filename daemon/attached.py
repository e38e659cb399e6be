"""The socket of the daemon that is meant: of one that runs, or of one that is started for the purpose."""

import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from digitd.daemon.errors import SinkError
from digitd.daemon.watch_cli import default_path

POLL_S = 0.02
START_S = 20.0
"""A microphone may take its time."""
END_S = 3.0
TETHER = ("setpriv", "--pdeathsig", "TERM")
"""util-linux: it ends our own, and its hold on the microphone, even if we are killed."""


@dataclass(frozen=True)
class Attachment:
    """A daemon to follow."""

    path: Path
    """Of its socket."""
    process: subprocess.Popen[bytes] | None = None
    """Where it is our own."""
    log: Path | None = None
    """What our own says on standard error."""


@contextmanager
def attached(path: Path | None, flags: Sequence[str] = ()) -> Iterator[Attachment]:
    """The daemon at `path`, else one that runs at the usual place, else one of our own for as long as it is needed.

    Args:
        path: the socket that was named, if one was.
        flags: for `digitd run`; where there are any, a daemon of our own is meant.

    Raises:
        SinkError: our own does not start.
    """
    if path is not None:
        yield Attachment(path)
    elif not flags and _runs(default_path()):
        yield Attachment(default_path())
    else:
        with tempfile.TemporaryDirectory(prefix="digitd-") as folder:
            yield from _own(Path(folder), flags)


def _runs(path: Path) -> bool:
    """Whether there is one to follow; what a daemon that was killed has left behind is none."""
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except OSError:  # it is there, and not for us, or busy: who follows it is told so
            return True
    return True


def _own(folder: Path, flags: Sequence[str]) -> Iterator[Attachment]:
    path, log = folder / "socket", folder / "log"
    command = [*TETHER, sys.executable, "-m", "digitd", "run", *flags, "--sink", f"unix:{path}"]
    with log.open("wb") as errors, subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors) as process:
        try:
            _await(path, process, log)
            yield Attachment(path, process, log)
        finally:
            process.terminate()
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _await(path: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait for the socket.

    Raises:
        SinkError: the daemon has ended, or takes too long; with its own last words.
    """
    until_s = time.monotonic() + START_S
    while not path.exists():
        if process.poll() is not None or time.monotonic() > until_s:
            words = log.read_text(errors="replace").strip().rpartition("\n")[2]
            raise SinkError(words.removeprefix("digitd: error: ") or f"digitd run did not start within {START_S:g} s")
        time.sleep(POLL_S)

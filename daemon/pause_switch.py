"""The switch by which `digitd type --pause` reaches the `digitd type` that runs: a socket of the user's own."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

from digitd.daemon.errors import ConfigError, SinkError

WORDS = ("pause", "resume", "toggle")
ANSWER_S = 2.0
ASKED_S = 0.2
"""So long one who has connected may take to say what it wants."""
MAX_BYTES = 64


def switch_path() -> Path:
    """Where it is: one a user, so that no two type the same digits."""
    folder = os.environ.get("XDG_RUNTIME_DIR")
    return Path(folder, "digitd-type.sock") if folder else Path.home() / ".digitd-type.sock"


def ask(word: str) -> str:
    """What the `digitd type` that runs is now: paused or typing.

    Raises:
        SinkError: none runs.
    """
    path = switch_path()
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(ANSWER_S)
        try:
            client.connect(str(path))
            client.sendall(word.encode() + b"\n")
            return client.recv(MAX_BYTES).decode().strip()
        except OSError as error:
            raise SinkError(f"{path}: no `digitd type` answers ({error.strerror or error}); start it") from error


class PauseSwitch:
    """Does what others ask for.

    Raises:
        ConfigError: another `digitd type` has it.
        SinkError: there can be no socket.
    """

    def __init__(self) -> None:
        from digitd.daemon.sinks.unix_socket import listen

        self._path = switch_path()
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(self._path)) == 0:
                raise ConfigError(
                    "`digitd type` runs already, and two would type each digit twice; stop that one first"
                )
        self._listener = listen(self._path)
        self._path.chmod(0o600)
        self._listener.settimeout(0)

    def fileno(self) -> int:
        """It can be read when somebody asks."""
        return self._listener.fileno()

    def serve(self, switch: Callable[[str], bool]) -> None:
        """Take one request. `switch` does one of WORDS, and tells whether it is paused then."""
        try:
            client, _ = self._listener.accept()
            with client:
                client.settimeout(ASKED_S)
                word = client.recv(MAX_BYTES).decode("ascii", "replace").strip()
                if word in WORDS:
                    client.sendall(b"paused\n" if switch(word) else b"typing\n")
        except OSError:  # whoever it was, it has left
            return

    def close(self) -> None:
        """Remove it."""
        self._listener.close()
        self._path.unlink(missing_ok=True)

"""Types by wtype, through a Wayland compositor's virtual keyboard: into any window, with a layout of its own."""

import os
import socket
import subprocess
from pathlib import Path

from digitd.daemon.errors import KeyboardError
from digitd.daemon.keyboards.keyboard import TOOL_S, Key, first_line, run

CHARACTERS: dict[Key, str] = {"none": "", "enter": "\n", "tab": "\t"}
"""wtype presses Return and Tab for these."""
WAITING = 2


class Wtype:
    """The virtual keyboard of a Wayland session.

    Two wtypes always wait for their standard input: one types, and the other keeps the seat's keyboard meanwhile. On a
    seat that has no other, a program hears of a keyboard only once it is there, and misses the first digits of a wtype
    that has just started. The compositor releases the keys of one that is ended.

    Raises:
        KeyboardError: the compositor does not answer, or has no virtual keyboards (GNOME's and KDE's have none).
    """

    sees_focus = False

    def __init__(self, display: str) -> None:
        run(["wtype", "-s", "1"])
        self.name = f"wtype (Wayland, {display})"
        self._socket = Path(os.environ.get("XDG_RUNTIME_DIR", ""), display)  # libwayland looks there; a path stays one
        self._waiting = [_start() for _ in range(WAITING)]

    def type(self, text: str, key: Key) -> None:
        """As Keyboard says."""
        self._look()
        tool = self._waiting.pop(0)
        try:
            trouble = tool.communicate(text + CHARACTERS[key], timeout=TOOL_S)[1]
        except subprocess.TimeoutExpired as error:
            tool.kill()
            tool.communicate()
            raise KeyboardError(f"wtype hangs: it was ended after {TOOL_S:g} s") from error
        if tool.returncode:
            raise KeyboardError(f"wtype fails: {first_line(trouble) or f'exit status {tool.returncode}'}")
        self._waiting.append(_start())

    def _look(self) -> None:
        """Whether the session is still there: a wtype that has waited does not notice."""
        with socket.socket(socket.AF_UNIX) as client:
            if client.connect_ex(str(self._socket)):
                raise KeyboardError(f"the Wayland session has ended: nobody answers at {self._socket}")

    def focused(self) -> str | None:
        """No Wayland protocol tells."""
        return None

    def title(self, window: str) -> str:  # noqa: ARG002 - it is never asked
        """There is none to tell."""
        return ""

    def close(self) -> None:
        """End those that wait; with nothing to type they leave by themselves, as they do when digitd is killed."""
        for tool in self._waiting:
            tool.communicate("")


def _start() -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen(["wtype", "-"], stdin=pipe, stderr=pipe, text=True, start_new_session=True)

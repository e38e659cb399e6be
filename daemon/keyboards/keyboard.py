"""What a keyboard is, and how its tool is run: what is typed goes to its standard input, never among its arguments."""

import subprocess
from typing import Literal, Protocol

from digitd.daemon.errors import KeyboardError

Key = Literal["none", "enter", "tab"]
"""What is pressed after a string."""
DIGITS = "0123456789"
"""All that is ever typed of what was heard: the labels that a bundle may have."""
TOOL_S = 5.0
"""A tool that takes longer hangs: so long a string takes none."""


class Keyboard(Protocol):
    """Types what it is given where the focus is."""

    name: str
    """The tool, and what it reaches."""
    sees_focus: bool
    """Whether it can tell which window has the focus."""

    def type(self, text: str, key: Key) -> None:
        """Type a text of digits and separators, then a key; all keys are up again when it returns.

        Raises:
            KeyboardError: it could not, or may not have.
        """

    def focused(self) -> str | None:
        """The number of the window that has the focus; None where none has, or where that cannot be told."""

    def title(self, window: str) -> str:
        """Of a window; nothing where it has gone."""

    def close(self) -> None:
        """Let go of the tool."""


def run(command: list[str], text: str = "") -> str:
    """What a tool prints; `text` is its standard input.

    It has a session of its own: a Ctrl+C that ends digitd must not end it between a key's press and its release, or the
    display repeats the key for ever.

    Raises:
        KeyboardError: it is not there, fails or hangs.
    """
    try:
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, timeout=TOOL_S, start_new_session=True, check=True
        )
    except subprocess.CalledProcessError as error:
        raise KeyboardError(f"{command[0]} fails: {first_line(error.stderr) or error}") from error
    except subprocess.TimeoutExpired as error:
        raise KeyboardError(f"{command[0]} hangs: it was ended after {TOOL_S:g} s") from error
    except OSError as error:
        raise KeyboardError(f"{command[0]} cannot be run: {error.strerror}") from error
    return done.stdout


def first_line(text: str) -> str:
    """Of what a tool has to say: it shall fit into one of ours."""
    line = text.strip().partition("\n")[0]
    return line if line.isprintable() else ascii(line)

"""Types by xdotool, through the X server's XTEST: into any X11 window, on any layout."""

import contextlib

from digitd.daemon.errors import KeyboardError
from digitd.daemon.keyboards.keyboard import DIGITS, Key, run

KEYSYMS: dict[Key, str] = {"enter": "Return", "tab": "Tab"}
MODIFIERS = "Shift_L+Shift_R+Control_L+Control_R+Alt_L+Super_L+Super_R+ISO_Level3_Shift"
RELEASE = ["xdotool", "keyup", "--delay", "0", MODIFIERS]
"""A modifier that is held would make a shortcut of a digit: Ctrl+1. It is released, and not pressed again as
`--clearmodifiers` does: that leaves it stuck where it was let go of meanwhile (jordansissel/xdotool#43). Nobody sees
the release of a key that is not held."""


class Xdotool:
    """The keyboard of an X display. xdotool finds the key and the modifiers of a character in the display's own layout.

    Raises:
        KeyboardError: the display does not answer.
    """

    sees_focus = True

    def __init__(self, display: str) -> None:
        run(["xdotool", "getdisplaygeometry"])
        self.name = f"xdotool (X11, display {display})"

    def type(self, text: str, key: Key) -> None:
        """As Keyboard says. A line end would be the key Linefeed, which no form takes: Return is a key of its own."""
        try:
            if text:
                run([*RELEASE, "type", "--file", "-"], text)
            if key != "none":
                run([*RELEASE, "key", KEYSYMS[key]])
        except KeyboardError:
            self._let_go()
            raise

    def focused(self) -> str | None:
        """As Keyboard says."""
        with contextlib.suppress(KeyboardError):  # the focus is nowhere
            return run(["xdotool", "getwindowfocus"]).strip()
        return None

    def title(self, window: str) -> str:
        """As Keyboard says."""
        with contextlib.suppress(KeyboardError):  # it has just gone
            return run(["xdotool", "getwindowname", window])
        return ""

    def _let_go(self) -> None:
        """Release what a tool that was ended may have left pressed."""
        with contextlib.suppress(KeyboardError):
            run([*RELEASE, "keyup", "--delay", "0", "+".join([*DIGITS, *KEYSYMS.values()])])

    def close(self) -> None:
        """Nothing is kept open."""

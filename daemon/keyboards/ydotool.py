"""Types by ydotool, as a keyboard that the kernel has: on any console and in any session."""

from digitd.daemon.errors import ConfigError
from digitd.daemon.keyboards.keyboard import Key, run
from digitd.daemon.keyboards.layout import row_characters

CHARACTERS: dict[Key, str] = {"none": "", "enter": "\n", "tab": "\t"}


class Ydotool:
    """A keyboard of the kernel. ydotool presses the keys that a US keyboard has for a text, whatever the layout is.

    So it is given the text that lies, on a US keyboard, where the layout in use has the digits: `!` for an AZERTY 1,
    for both are Shift and the first key of the row.

    Raises:
        ConfigError: the layout is not known, or has its digits elsewhere.
        KeyboardError: xkbcli, which knows the layouts, fails.
    """

    sees_focus = False

    def __init__(self, layout: str) -> None:
        self._row = {**row_characters(layout), " ": " "}
        self.name = f"ydotool (any session, layout {layout})"

    def type(self, text: str, key: Key) -> None:
        """As Keyboard says.

        Raises:
            ConfigError: a separator is no space, of which alone the key is known.
        """
        if unknown := set(text) - set(self._row):
            raise ConfigError(f"--separator {min(unknown)!r}: with ydotool only a space can be one")
        run(["ydotool", "type", "--file", "-"], "".join(map(self._row.__getitem__, text)) + CHARACTERS[key])

    def focused(self) -> str | None:
        """The kernel knows no windows."""
        return None

    def title(self, window: str) -> str:  # noqa: ARG002 - it is never asked
        """There is none to tell."""
        return ""

    def close(self) -> None:
        """Nothing is kept open."""

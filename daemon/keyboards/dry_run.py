"""Types nothing: tells what it would, a line each time."""

from digitd.daemon.keyboards.keyboard import Key
from digitd.daemon.sinks.stdout import write_line

SHOWN: dict[Key, str] = {"none": "", "enter": "[Enter]", "tab": "[Tab]"}


class DryRun:
    """Standard output as a keyboard."""

    sees_focus = False
    name = "nothing (a dry run: what would be typed is printed)"

    def type(self, text: str, key: Key) -> None:
        """Print it.

        Raises:
            ReaderGone: nobody reads it any more.
        """
        write_line(text + SHOWN[key])

    def focused(self) -> str | None:
        """There is none."""
        return None

    def title(self, window: str) -> str:  # noqa: ARG002 - it is never asked
        """There is none to tell."""
        return ""

    def close(self) -> None:
        """Nothing is kept open."""

"""Events -> what is typed: each digit once, in one window, in time, and nothing that is in doubt."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from digitd.daemon.errors import ConfigError, SinkError
from digitd.daemon.events import Digit, Event, String
from digitd.daemon.keyboards.keyboard import DIGITS, Key, Keyboard

LATE_S = 2.0
"""What is so old is not typed any more: its speaker has given up on it, and may be somewhere else."""
MOST_DIGITS = 100
"""Of a string; the daemon ends one there."""
LONGEST_SEPARATOR = 8


@dataclass(frozen=True)
class TypistConfig:
    """What is typed, and when it is not."""

    whole: bool = False
    """Strings once they are over, in place of digits as they come."""
    after: Key = "none"
    """Pressed after each string."""
    separator: str = ""
    """Typed after each string, before that key."""
    pause_string: str = ""
    """The string that pauses and resumes, and is never typed; empty: there is none."""
    window: str = ""
    """In the title of the only windows that are typed into, however it is written; empty: any."""

    def __post_init__(self) -> None:
        if set(self.pause_string) - set(DIGITS):
            raise ConfigError(f"--pause-string {self.pause_string!r}: it takes digits, as in --pause-string 000")
        if len(self.separator) > LONGEST_SEPARATOR or any(sign.isalnum() for sign in self.separator):
            raise ConfigError(
                f"--separator {self.separator!r}: at most {LONGEST_SEPARATOR} spaces or signs, no letters or digits"
            )
        if not self.separator.isprintable():
            raise ConfigError(f"--separator {self.separator!r}: no line ends or tabs; --after has these")


@dataclass
class _Entry:
    """What is known of the string that is being said."""

    window: str | None = None
    """That had the focus when its first digit came."""
    heard: str = ""
    held: str = ""
    """Not typed yet, for it may become the pause string."""
    typed: str = ""
    left_out: bool = False
    """Its rest is not typed."""


class Typist:
    """Types what is heard. A string is typed into one window, from its first digit on, or its rest is left out.

    With a pause string, digits that may become it wait until they cannot any more, or the string is over.

    Args:
        tell: takes a line for the user. No digit stands in it: they may be secret.
    """

    def __init__(self, config: TypistConfig, keyboard: Keyboard, tell: Callable[[str], None], *, paused: bool) -> None:
        if config.window and not keyboard.sees_focus:
            raise ConfigError(f"--window {config.window!r}: {keyboard.name} cannot tell which window has the focus")
        self._config, self._keyboard, self._tell = config, keyboard, tell
        self._entry = _Entry()
        self.paused = paused

    def switch(self, *, paused: bool, by: str) -> None:
        """Pause or resume; what is being said meanwhile is not typed, not even its rest."""
        if paused != self.paused:
            self.paused = paused
            self._tell(f"{'paused' if paused else 'typing again'} ({by})")
        if paused:
            self._entry.held, self._entry.left_out = "", bool(self._entry.heard)

    def hear(self, event: Event, now: datetime | None = None) -> None:
        """Type what an event asks for.

        Raises:
            KeyboardError: it could not be typed.
            SinkError: it holds something else than digits.
        """
        late = (now or datetime.now(UTC)) - event.time > timedelta(seconds=LATE_S)
        if isinstance(event.body, Digit):
            self._digit(_checked(event.body.digit, at_most=1), late=late)
        elif isinstance(event.body, String):
            self._string(event.body, late=late)

    def miss(self) -> None:
        """Events are missing: what has begun may not be whole, and is not typed late. A `string` is whole in itself."""
        if self._config.whole:
            self._entry = _Entry()
        elif self._entry.heard:
            self._leave_out("some of it is missing")

    def _digit(self, digit: str, *, late: bool) -> None:
        entry = self._entry
        if not entry.heard and not self.paused:
            entry.window = self._keyboard.focused()
        entry.heard += digit
        if self.paused:
            entry.left_out = True
        elif late:
            self._leave_out(f"it came more than {LATE_S:g} s late")
        if self._config.whole or entry.left_out:
            return
        entry.held += digit
        if not self._config.pause_string.startswith(entry.heard):
            self._type_held()

    def _string(self, string: String, *, late: bool) -> None:
        entry = self._entry
        heard, digits = (_checked(text, at_most=MOST_DIGITS) for text in (string.heard, string.digits))
        if not entry.heard and not self.paused:  # its digits came before we did
            entry.window = self._keyboard.focused()
        if heard == self._config.pause_string:
            self._entry = _Entry()
            self.switch(paused=not self.paused, by="said")
            return
        if self.paused:
            entry.left_out = True
        elif late:
            self._leave_out(f"it came more than {LATE_S:g} s late")
        if self._config.whole:
            self._type_whole(digits, string)
        else:
            self._end_digits(heard, string)
        self._entry = _Entry()

    def _type_whole(self, digits: str, string: String) -> None:
        if not string.legal:
            self._leave_out("it has not the format that the daemon asks for")
        elif string.far:
            self._leave_out("it is far from what was heard; say it again")
        if self._may_type():
            self._keyboard.type(digits + self._config.separator, self._config.after)

    def _end_digits(self, heard: str, string: String) -> None:
        """Type what was held back, and what follows a string: only where all of it stands there, and is legal."""
        config, entry = self._config, self._entry
        if entry.held:
            self._type_held()
        if not config.separator and config.after == "none":
            return
        if entry.typed != heard:
            if not entry.left_out:
                self._leave_out("its beginning was not typed")
        elif not string.legal or string.digits != heard:
            self._tell("not the string that the daemon's format asks for: nothing is typed after it; look at it")
        elif self._may_type():
            self._keyboard.type(config.separator, config.after)

    def _type_held(self) -> None:
        entry = self._entry
        held, entry.held = entry.held, ""
        if self._may_type():
            self._keyboard.type(held, "none")
            entry.typed += held

    def _may_type(self) -> bool:
        """Whether the string is still typed, and its window is the one that has the focus."""
        if not self._entry.left_out and self._keyboard.sees_focus:
            window, begun, wanted = self._keyboard.focused(), self._entry.window, self._config.window.casefold()
            if window is None or begun is None:
                self._leave_out("no window has the focus")
            elif window != begun:
                self._leave_out("another window has the focus than when it began")
            elif wanted and wanted not in self._keyboard.title(window).casefold():
                self._leave_out(f"{self._config.window!r} is not in the title of the window that has the focus")
        return not self._entry.left_out

    def _leave_out(self, why: str) -> None:
        """Type nothing more of the string; the user is told once, and how much of it there is."""
        entry = self._entry
        if not entry.left_out:
            count = f"{len(entry.typed)} digit{'s' * (len(entry.typed) > 1)}"
            done = f"after {count}, the rest of this string is not" if entry.typed else "not"
            self._tell(f"{done} typed: {why}")
        entry.left_out, entry.held = True, ""


def _checked(text: str, *, at_most: int) -> str:
    """The text, where it is digits alone.

    Raises:
        SinkError: it is not.
    """
    if 1 <= len(text) <= at_most and set(text) <= set(DIGITS):
        return text
    raise SinkError(f"{text[:MOST_DIGITS]!r} are no digits 0-9; is it `digitd run` that is there?")

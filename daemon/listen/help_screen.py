"""What the view shows, and which keys there are."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.events import Key
from textual.screen import Screen
from textual.widgets import Static

TEXT = """\
level     the loudest 10 ms of the last tenth of a second; the mark in it is
          the room's noise. CLIP: too loud for the input. Beside it what the
          speech detector says.
picture   what the network sees: low tones below, the newest on the right.
          Beneath it speech, and each digit where its word was.
bars      how likely each digit is, at its best just now.
heard     the digits as they come; faintly, with ?, speech that was no digit
          and what it was nearest to.
strings   digits with no pause between them, and how sure they are.
latency   from the end of a word to its digit; less than 0: before the end.

q quit    m switch between always (an open microphone) and entry (digits are
expected), for all who use this daemon    space freeze and go on
c clear what was heard    any key: back"""


class HelpScreen(Screen[None]):
    """Covers the view until a key is pressed."""

    DEFAULT_CSS: ClassVar[str] = """
    HelpScreen { background: ansi_default; color: ansi_default; }
    HelpScreen VerticalScroll { background: ansi_default; scrollbar-size: 0 0; }
    HelpScreen Static { background: ansi_default; color: ansi_default; }
    """

    def compose(self) -> ComposeResult:
        """One text."""
        with VerticalScroll(can_focus=False):
            yield Static(TEXT, markup=False)

    def on_key(self, event: Key) -> None:
        """Back to the view."""
        event.stop()
        if self.is_current:  # a second key may have been on its way
            self.dismiss()

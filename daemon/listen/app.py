"""The view itself: panels, keys, and when they are drawn."""

import asyncio
import signal
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message

from digitd.daemon.listen.bars import Bars
from digitd.daemon.listen.big_digits import BigDigits
from digitd.daemon.listen.glyphs import Glyphs
from digitd.daemon.listen.head import Head
from digitd.daemon.listen.hearing import Hearing
from digitd.daemon.listen.help_screen import HelpScreen
from digitd.daemon.listen.inbox import Inbox
from digitd.daemon.listen.level import Level
from digitd.daemon.listen.lines import Figures, Keys, Strings, Trouble, Words
from digitd.daemon.listen.panel import Panel
from digitd.daemon.listen.spectrogram import Spectrogram, Track, has_colours
from digitd.daemon.tap import Tap

HEIGHTS = [(0, "-line"), (2, "-strip"), (4, "-tiny"), (8, "-low"), (12, "-short"), (18, "-high")]
"""Rows from which on there is more than the digits: level, head and strings, picture and keys, figures, bars and large
digits."""
WIDTHS = [(0, "-narrow"), (56, "-wide")]
"""Columns from which on there are bars."""


LARGE_CELLS = 4000
"""A larger view is drawn for every second glimpse alone: its cost goes with its cells."""


class Came(Message, bubble=False):
    """There is something in the inbox."""


class ListenApp(App[None]):
    """What is heard, live.

    Args:
        tap: whose letters come into `inbox`; it is asked for glimpses, and to switch the mode.
        inbox: of the tap.
        glyphs: to draw with.
    """

    ENABLE_COMMAND_PALETTE = False
    CSS: ClassVar[str] = """
    Screen, Panel, Horizontal { background: ansi_default; color: ansi_default; }
    Horizontal { height: 6; width: 1fr; }
    .-short Horizontal, .-low Horizontal, .-low Figures { display: none; }
    .-tiny Panel, .-strip Panel, .-line Panel { display: none; }
    .-tiny Horizontal, .-strip Horizontal, .-line Horizontal { display: none; }
    .-tiny Head, .-tiny Level, .-tiny Words, .-tiny Strings { display: block; }
    .-strip Level, .-strip Words, .-line Words { display: block; }
    Trouble.-there { display: block; }
    .-narrow Bars { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,ctrl+c", "quit", "quit"),
        Binding("m", "mode", "mode"),
        Binding("space", "freeze", "freeze"),
        Binding("c", "clear", "clear"),
        Binding("question_mark", "help", "help"),
    ]
    HORIZONTAL_BREAKPOINTS = WIDTHS
    VERTICAL_BREAKPOINTS = HEIGHTS

    def __init__(self, tap: Tap, inbox: Inbox, glyphs: Glyphs, *, veiled: bool = False) -> None:
        super().__init__(ansi_color=True)
        self._tap, self._inbox, self._glyphs = tap, inbox, glyphs
        self.hearing = Hearing(veiled=veiled)
        self.frozen = self._rests = False

    def compose(self) -> ComposeResult:
        """The panels, from above."""
        both = self.hearing, self._glyphs
        coloured = has_colours(self._glyphs, self.console.color_system, no_color=self.no_color)
        yield Head(*both)
        yield Trouble(*both)
        yield Level(*both)
        yield Spectrogram(*both, coloured=coloured)
        yield Track(*both)
        with Horizontal():
            yield Bars(*both)
            yield BigDigits(*both)
        yield Words(*both)
        yield Strings(*both)
        yield Figures(*both)
        yield Keys(*both)

    def on_mount(self) -> None:
        """Begin to take letters; heed the signals that would leave the terminal as it is."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self.exit)
        self._inbox.open(lambda: self.post_message(Came()))

    def on_came(self) -> None:
        """Take what is in the inbox, unless the view is frozen."""
        if self.frozen:
            return
        letters = self._inbox.take()
        for letter in letters:
            self.hearing.enter(letter)
        if self.hearing.refusal and not self.hearing.model:
            self.exit()  # there is nothing to look at
        is_large = self.size.width * self.size.height > LARGE_CELLS
        self._rests = is_large and not self._rests and all(letter.is_glimpse for letter in letters)
        if not self._rests:
            self._look()

    def _look(self) -> None:
        for screen in self.screen_stack[:1]:  # beneath the help; none when the view ends
            for panel in screen.query(Panel):
                panel.look()

    def action_mode(self) -> None:
        """Ask the daemon for the other mode."""
        if self.hearing.mode and not self.hearing.trouble:
            self.hearing.wanted_mode = "always" if self.hearing.mode == "entry" else "entry"
            self._tap.ask({"mode": self.hearing.wanted_mode})
            self._look()

    def action_freeze(self) -> None:
        """Hold the picture, or go on; events wait meanwhile, glimpses are not even sent."""
        self.frozen = not self.frozen
        self._tap.look(wanted=not self.frozen)
        self.query_one(Head).frozen = self.query_one(Keys).frozen = self.frozen
        self._look()
        self.on_came()

    def action_clear(self) -> None:
        """Forget what was heard."""
        self.hearing.clear()
        self._look()

    def action_help(self) -> None:
        """Explain."""
        self.push_screen(HelpScreen())

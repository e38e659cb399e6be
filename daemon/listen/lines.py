"""The rows of text: what was said one by one, the strings, the figures, and what is wrong."""

import textwrap
from collections.abc import Iterable

from rich.segment import Segment

from digitd.daemon.listen.panel import ALARM, BOLD, FAINT, MIDDLING, PLAIN, Panel, Row

LABEL_COLUMNS = 10
LABELLED = 30
"""Columns from which on there is room for it."""
KEYS = (("q", "quit"), ("m", "mode"), ("space", "freeze"), ("c", "clear"), ("?", "help"))
KEYS_FROZEN = (("q", "quit"), ("m", "mode"), ("space", "go on"), ("c", "clear"), ("?", "help"))


class Words(Panel):
    """Digits, and faintly among them what was none, with its best guess."""

    def rows(self, width: int, height: int) -> list[Row]:  # noqa: ARG002 - one row
        """The newest on the right; of it, how sure it is."""
        plain = self.glyphs.plain
        pieces = [
            Segment(f"{plain(word.label)} ", BOLD) if word.is_digit else Segment(f"{plain(word.label)}? ", FAINT)
            for word in self.hearing.words
        ]
        if pieces and width >= LABELLED:
            last = self.hearing.words[-1]
            of = "" if last.is_digit else "no digit, "
            pieces.append(Segment(f" {of}{last.confidence:.0%}", FAINT))
        return [_labelled("heard", pieces, width)]


class Strings(Panel):
    """The strings that have ended, each with how sure it is."""

    def rows(self, width: int, height: int) -> list[Row]:  # noqa: ARG002 - one row
        """The newest on the right."""
        pieces: Row = []
        for said in self.hearing.strings:
            style = BOLD if said.legal else MIDDLING
            pieces += [Segment(self.glyphs.plain(said.digits), style), Segment(f" {said.confidence:.0%}   ", FAINT)]
        return [_labelled("strings", pieces, width)]


class Figures(Panel):
    """How soon, how many, and what was missed."""

    def rows(self, width: int, height: int) -> list[Row]:  # noqa: ARG002 - one row
        """One row."""
        hearing = self.hearing
        row = [_label("latency")]
        if hearing.latencies_s:
            row.append(Segment(f"{hearing.latencies_s[-1]:.2f} s", BOLD))
            row.append(Segment(f"  median {hearing.median_s:.2f} s", PLAIN))
            row.append(Segment(f" of {hearing.n_digits}", FAINT))
        if hearing.n_rejected:
            row.append(Segment(f"   no digit {hearing.n_rejected}", FAINT))
        notices = [Segment(f"   {self.glyphs.plain(notice)}", MIDDLING) for notice in hearing.notices]
        return [row + _last(notices, width - sum(len(piece.text) for piece in row))]


class Trouble(Panel):
    """What is wrong; it is there only when something is."""

    DEFAULT_CSS = "Trouble { display: none; }"

    def look(self) -> None:
        """Come and go."""
        self.set_class(bool(self.hearing.trouble), "-there")
        self.styles.height = len(self._lines(self.app.size.width)) or 1
        super().look()

    def rows(self, width: int, height: int) -> list[Row]:  # noqa: ARG002 - as many as it takes
        """A row, or a few: a path may be long, and what is wrong with it stands behind it."""
        style = MIDDLING if self.hearing.ended else ALARM
        return [[Segment(f" {line} ", style)] for line in self._lines(width)]

    def _lines(self, width: int) -> list[str]:
        return textwrap.wrap(self.glyphs.plain(self.hearing.trouble), max(width - 2, 1))


class Keys(Panel):
    """What can be pressed."""

    frozen = False

    def rows(self, width: int, height: int) -> list[Row]:  # noqa: ARG002 - one row
        """One row."""
        keys = KEYS_FROZEN if self.frozen else KEYS
        return [[piece for key, word in keys for piece in (Segment(f"{key} ", BOLD), Segment(f"{word}   ", FAINT))]]


def _label(text: str) -> Segment:
    return Segment(f"{text:<{LABEL_COLUMNS}}", FAINT)


def _labelled(text: str, pieces: Row, width: int) -> Row:
    if width < LABELLED:
        return _last(pieces, width)
    return [_label(text), *_last(pieces, width - LABEL_COLUMNS)]


def _last(pieces: Iterable[Segment], room: int) -> Row:
    """The last of them that there is room for, none of them cut."""
    shown: Row = []
    for piece in reversed(list(pieces)):
        room -= len(piece.text)
        if room < 0:
            break
        shown.insert(0, piece)
    return shown

"""The level meter: how loud it is, above what noise, whether too loud, and whether it is speech."""

from rich.segment import Segment

from digitd.daemon.listen.panel import ALARM, BAD, BOLD, FAINT, GOOD, MIDDLING, PLAIN, Panel, Row, joined

QUIETEST_DBFS = -80.0
ZONES = ((-20.0, GOOD), (-6.0, MIDDLING), (0.0, BAD))
"""Up to which level a bar has which colour."""
LABEL = "level "
WIDE, MIDDLE, NARROW = 64, 44, 26
"""Columns from which on there is room for the noise, for the level in figures, and for the speech detector's word."""
LEAST_METER = 4


class Level(Panel):
    """One row."""

    def rows(self, width: int, height: int) -> list[Row]:  # noqa: ARG002 - one row
        """A meter, and beside it figures as far as there is room."""
        figures = self._figures(width)
        label = LABEL if width >= MIDDLE else ""
        room = width - len(label) - sum(len(figure.text) for figure in figures)
        return [[Segment(label, FAINT), *self._meter(max(room, LEAST_METER)), *figures]]

    def _meter(self, width: int) -> Row:
        """A bar of colour zones, with a mark at the noise."""
        filled = share(self.hearing.level_dbfs) * width
        floor = min(int(share(self.hearing.floor_dbfs) * width), width - 1)
        cells = []
        for column in range(width):
            end_dbfs = QUIETEST_DBFS * (1 - (column + 1) / width)
            style = next(style for limit_dbfs, style in ZONES if end_dbfs <= limit_dbfs)
            character = self.glyphs.share(self.glyphs.across, filled - column)
            if column == floor and floor:
                character, style = self.glyphs.floor, style if character == self.glyphs.across[-1] else BOLD
            elif character == " ":
                character, style = self.glyphs.dot if column % 10 == 0 else " ", FAINT
            cells.append((character, style))
        return joined(cells)

    def _figures(self, width: int) -> Row:
        hearing, row = self.hearing, []
        if width >= MIDDLE:
            row.append(Segment(f"{hearing.level_dbfs:6.0f} dBFS", PLAIN))
        if width >= WIDE:
            row.append(Segment(f"  noise {hearing.floor_dbfs:4.0f}", FAINT))
        if width >= NARROW:
            glyph = self.glyphs.on if hearing.speech else self.glyphs.off
            row.append(
                Segment(f"  {glyph} {'speech' if hearing.speech else 'quiet '}", BOLD if hearing.speech else FAINT)
            )
        clip = Segment("CLIP", ALARM) if hearing.clipping else Segment("    ")
        return [*row, Segment(" "), clip]


def share(level_dbfs: float) -> float:
    """Of the meter: 0 at QUIETEST_DBFS, 1 at full scale."""
    return min(max(1 - level_dbfs / QUIETEST_DBFS, 0.0), 1.0)

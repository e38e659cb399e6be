"""The posteriors of the labels, as bars that stand side by side."""

from rich.segment import Segment
from rich.style import Style

from digitd.daemon.listen.panel import BOLD, FAINT, GOOD, PLAIN, Panel, Row, joined

LABELS = tuple("0123456789")
"""Shown before the network has answered."""
COLUMNS = 3
"""Of a bar, with what parts it from the next."""
SURE = 0.5


class Bars(Panel):
    """Bars over their labels."""

    DEFAULT_CSS = "Bars { height: 6; width: 31; }"

    def rows(self, width: int, height: int) -> list[Row]:
        """The last row holds the labels."""
        shares = self.hearing.posteriors or dict.fromkeys(LABELS, 0.0)
        shown = list(shares.items())[: width // COLUMNS]
        bars = [joined(self._cells(share, row, height - 1) for _, share in shown) for row in range(height - 1)]
        plain = self.glyphs.plain
        labels = [
            Segment(f"{plain(label)[: COLUMNS - 1]:<{COLUMNS}}", BOLD if share > SURE else FAINT)
            for label, share in shown
        ]
        return [*bars, labels]

    def _cells(self, share: float, row: int, n_rows: int) -> tuple[str, Style]:
        """A bar's part in one row, counted from above."""
        filled = self.glyphs.share(self.glyphs.up, share * n_rows - (n_rows - 1 - row))
        return filled * (COLUMNS - 1) + " ", GOOD if share > SURE else PLAIN

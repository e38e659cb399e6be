"""The first row: whose sound it is, what hears it, and how far it is."""

from rich.segment import Segment

from digitd.daemon.listen.panel import BOLD, FAINT, PLAIN, WARNING, Panel, Row


class Head(Panel):
    """Mode, model, provider and source on the left; the stream's time on the right."""

    frozen = False

    def rows(self, width: int, height: int) -> list[Row]:  # noqa: ARG002 - one row
        """One row; where it is narrow, the time stays."""
        time = Segment(f" {_clock(self.hearing.at_s)}", PLAIN)
        room = width - len(time.text)
        left = self._left(room)
        return [[*Segment.adjust_line_length(left, max(room, 0)), time]]

    def _left(self, room: int) -> Row:
        hearing, plain = self.hearing, self.glyphs.plain
        row = [Segment("digitd", BOLD)]
        if self.frozen:
            row.append(Segment(" FROZEN ", WARNING))
        if hearing.model:
            mode = f"{hearing.mode} > {hearing.wanted_mode}" if hearing.wanted_mode else hearing.mode
            for name, value in (
                ("mode", mode),
                ("model", hearing.model),
                ("on", hearing.provider),
            ):
                row += [Segment(f" {name} ", FAINT), Segment(plain(value), PLAIN)]
            row.append(Segment(" hears ", FAINT))
            source = self.glyphs.tail(plain(hearing.source), room - sum(len(piece.text) for piece in row))
            row.append(Segment(source, PLAIN))
        return row


def _clock(at_s: float) -> str:
    minutes, seconds = divmod(int(at_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"

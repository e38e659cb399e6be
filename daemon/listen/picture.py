"""Mel frames -> the columns of a spectrogram that scrolls, each at its time."""

import numpy as np
from numpy.typing import NDArray

FRAME_S = 0.01
COLUMN_S = 0.05
MOST_COLUMNS = 512
"""The widest terminal that is filled."""
MOST_TOLD = 4
"""Columns that one glimpse's word on speech is for; before them, it was not looked."""
SLACK_S = 1e-6


class Picture:
    """The last MOST_COLUMNS of a stream, the newest last.

    A network of whole utterances shows an utterance when it is over: its frames end at the time that they come
    with, and are drawn over what was blank there.
    """

    def __init__(self) -> None:
        self._edge = 0
        """Number of the newest column since the stream began."""
        self._bands = np.zeros((MOST_COLUMNS, 0), np.uint8)
        self._speech = np.zeros(MOST_COLUMNS, np.bool_)

    def advance(self, at_s: float, frames: list[list[int]], *, speech: bool) -> None:
        """The stream has gone on to `at_s`; `frames` end there: [n_frames, n_bands] of 0 to 255."""
        edge = column_of(at_s)
        before, self._edge = self._edge, edge
        self._scroll(edge - before)
        n_told = min(max(edge - before, 1), MOST_TOLD)
        self._speech[-n_told:] |= speech
        if frames:
            self._draw(at_s, np.asarray(frames[-MOST_COLUMNS:], np.uint8))

    def _scroll(self, by: int) -> None:
        """Blank columns come in; a stream that has started anew leaves nothing."""
        if by < 0 or by >= MOST_COLUMNS:
            self._bands[:], self._speech[:] = 0, False
        elif by:
            for columns in (self._bands, self._speech):
                columns[:-by] = columns[by:]
                columns[-by:] = 0

    def _draw(self, at_s: float, frames: NDArray[np.uint8]) -> None:
        if frames.shape[1] != self._bands.shape[1]:
            self._bands = np.zeros((MOST_COLUMNS, frames.shape[1]), np.uint8)
        middles_s = at_s - FRAME_S * (np.arange(len(frames), 0, -1) - 0.5)
        places = np.floor(middles_s / COLUMN_S).astype(int) - self._edge + MOST_COLUMNS - 1
        seen = places >= 0
        np.maximum.at(self._bands, places[seen], frames[seen])

    def shades(self, n_columns: int, n_rows: int) -> NDArray[np.uint8]:
        """uint8 [n_rows, n_columns], the highest band first: of bands that share a row, the brightest."""
        columns = self._bands[max(MOST_COLUMNS - n_columns, 0) :]
        n_bands = columns.shape[1]
        if not n_bands or not n_rows:
            return np.zeros((n_rows, n_columns), np.uint8)
        begins = np.arange(n_rows) * n_bands // n_rows
        rows: NDArray[np.uint8] = np.maximum.reduceat(columns, begins, axis=1).T[::-1]
        return np.pad(rows, ((0, 0), (n_columns - len(columns), 0)))

    def speech(self, n_columns: int) -> list[bool]:
        """For each column, the speech detector's word."""
        shown: list[bool] = self._speech[max(MOST_COLUMNS - n_columns, 0) :].tolist()
        return [False] * (n_columns - len(shown)) + shown

    def place(self, at_s: float, n_columns: int) -> int:
        """The column of a time, counted from the left; outside of 0 to n_columns where it is not shown."""
        return n_columns - 1 - self._edge + int((at_s + SLACK_S) / COLUMN_S)


def column_of(at_s: float) -> int:
    """Number of the column that ends the stream at `at_s`."""
    return max(int(np.ceil((at_s - SLACK_S) / COLUMN_S)) - 1, 0)

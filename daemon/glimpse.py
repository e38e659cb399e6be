"""What is heard at the moment, for who looks on: level, noise, the speech detector's word, mel frames, posteriors."""

import json
from collections import deque
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from digitd.daemon.events import GLIMPSE, SCHEMA
from digitd.daemon.vad import FRAME_MS, SILENCE_DBFS, Frame

EVERY_S = 0.1
"""So often there is a new glimpse."""
FLOOR_WINDOW_S = 10.0
FLOOR_PERCENTILE = 10
"""The room's noise is what a tenth of the last FLOOR_WINDOW_S stays below: speech has more pauses than that."""
BRIGHTEST = 255
LOUDEST_STREAM = 2.5
"""Of the mel frames of a stream: one in two hundred cells of speech is brighter."""
LOUDEST_UTTERANCE = 1.0
"""Of an utterance's mel spectrogram: its loudest cell."""


@dataclass(frozen=True)
class Glimpse:
    """What was heard since the last one. It is no event: it has no seq, nothing keeps it, and it may be left out."""

    type: ClassVar[str] = GLIMPSE
    at_s: float
    """The end of what it tells of."""
    level_dbfs: float
    """The loudest 10 ms, root mean square."""
    floor_dbfs: float
    """The room's noise."""
    clipping: bool
    speech: bool
    """The speech detector's word."""
    mel: tuple[tuple[int, ...], ...]
    """Each frame's bands from the lowest up, 0 to 255."""
    posteriors: tuple[tuple[str, float], ...]
    """Each label with its largest share; empty where the network has not answered."""

    def to_json(self, stream: str) -> str:
        """One line of JSON without its line end."""
        table = {
            "v": SCHEMA,
            "type": self.type,
            "stream": stream,
            "at_s": round(self.at_s, 3),
            "level_dbfs": round(self.level_dbfs, 1),
            "floor_dbfs": round(self.floor_dbfs, 1),
            "clipping": self.clipping,
            "speech": self.speech,
            "mel": self.mel,
            "posteriors": {label: round(share, 3) for label, share in self.posteriors},
        }
        return json.dumps(table, separators=(",", ":"))


class Lookout:
    """Gathers glimpses from what the stages of one stream show it.

    Args:
        labels: of the network's outputs, in their order.
        loudest: the value of a mel cell that is shown brightest.
    """

    def __init__(self, labels: tuple[str, ...], loudest: float) -> None:
        self._labels, self._loudest = labels, loudest
        self._levels_dbfs: deque[float] = deque(maxlen=round(FLOOR_WINDOW_S * 1000) // FRAME_MS)
        self._last_s = 0.0
        self._begin()

    def _begin(self) -> None:
        self._level_dbfs, self._speech = SILENCE_DBFS, False
        self._mel: list[tuple[int, ...]] = []
        self._posteriors: NDArray[np.float32] | None = None

    def hear(self, frame: Frame) -> None:
        """The speech detector has decided on a frame."""
        self._levels_dbfs.append(frame.level_dbfs)
        self._level_dbfs = max(self._level_dbfs, frame.level_dbfs)
        self._speech = frame.speech

    def see(self, frames: NDArray[np.float32]) -> None:
        """The network is shown float32 [n_frames, n_mels]. The root brings out what is faint."""
        shades = np.sqrt(np.clip(frames / self._loudest, 0, 1)) * BRIGHTEST
        self._mel += map(tuple, np.rint(shades).astype(int).tolist())

    def weigh(self, posteriors: NDArray[np.float32]) -> None:
        """The network has answered float32 [n_labels], or more with what is no label last."""
        shares = posteriors[: len(self._labels)]
        self._posteriors = shares if self._posteriors is None else np.maximum(self._posteriors, shares)

    def glimpse(self, at_s: float, *, clipping: bool) -> Glimpse | None:
        """What was gathered, if EVERY_S of the stream have passed since the last one."""
        if 0 <= at_s - self._last_s < EVERY_S or not self._levels_dbfs:
            return None
        shares = () if self._posteriors is None else zip(self._labels, self._posteriors.tolist(), strict=True)
        found = Glimpse(
            at_s,
            self._level_dbfs,
            float(np.percentile(self._levels_dbfs, FLOOR_PERCENTILE)),
            clipping,
            self._speech,
            tuple(self._mel),
            tuple(shares),
        )
        self._last_s = at_s
        self._begin()
        return found

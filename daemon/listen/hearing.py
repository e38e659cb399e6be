"""All that the view knows: letters of the inbox -> what is heard, what was said, how soon, and what is wrong."""

import json
import statistics
from collections import deque
from dataclasses import dataclass
from typing import Any

from digitd.daemon.events import Digit, End, Ready, Rejected, SourceState, String
from digitd.daemon.glimpse import Glimpse
from digitd.daemon.listen.inbox import Letter
from digitd.daemon.listen.picture import Picture
from digitd.daemon.vad import SILENCE_DBFS

MOST_WORDS = 200
MOST_LATENCIES = 1000
MOST_NOTICES = 8
BACK_S = 1.0
"""A stream whose time is so much earlier than the one before has started anew."""
FALL = 0.12
"""A bar falls by so much a glimpse: what lasted a tenth of a second is seen for some."""
VEIL = "*"
CLIPPING_S = 1.0
"""So long the meter shows that it was too loud."""
TROUBLES = {
    "lost": "the source is lost",
    "stalled": "the source sends nothing",
    "silent": "the source is silent: nothing but zeros; is it muted?",
    "clipping": "clipping: it is too loud for the input; turn it down",
}
"""`source` state -> what is shown until it is over."""


@dataclass(frozen=True)
class Word:
    """A digit, or speech that was none."""

    label: str
    """The digit, or the best guess."""
    confidence: float
    middle_s: float
    """Of the word, in the stream."""
    is_digit: bool
    string: int
    """Number of the string that it is in, or would be."""
    stream: int
    """Number of the stream: each has a time of its own."""


@dataclass(frozen=True)
class Said:
    """A string that has ended."""

    digits: str
    confidence: float
    legal: bool


class Hearing:
    """Takes letters in; its attributes are what the panels show.

    Args:
        veiled: whether a VEIL stands for each digit: somebody may look over the shoulder.
    """

    def __init__(self, *, veiled: bool = False) -> None:
        self._veiled = veiled
        self.model = self.provider = self.source = self.mode = ""
        self.wanted_mode = ""
        """Asked for, and not on yet."""
        self.at_s = 0.0
        self.level_dbfs = self.floor_dbfs = SILENCE_DBFS
        self.speech = False
        self.posteriors: dict[str, float] = {}
        self.away = self.source_trouble = self.refusal = ""
        """What is wrong: with the daemon, with its source, and why nothing will come any more."""
        self.ended = False
        self.string = self.stream = 0
        """Numbers of the string and of the stream that are open."""
        self._clipped_s = -CLIPPING_S
        self._was_away = False
        self.clear()

    def clear(self) -> None:
        """Forget what was heard and said, as a viewer who wants to begin again."""
        self.picture = Picture()
        self.words: deque[Word] = deque(maxlen=MOST_WORDS)
        self.strings: deque[Said] = deque(maxlen=MOST_WORDS)
        self.latencies_s: deque[float] = deque(maxlen=MOST_LATENCIES)
        self.notices: deque[str] = deque(maxlen=MOST_NOTICES)
        """What did not come, and that the stream has started anew."""
        self.n_digits = self.n_rejected = 0

    @property
    def clipping(self) -> bool:
        """Whether it was too loud just now."""
        return 0 <= self.at_s - self._clipped_s < CLIPPING_S

    @property
    def median_s(self) -> float:
        """Of the latencies; there must be one."""
        return statistics.median(self.latencies_s)

    @property
    def trouble(self) -> str:
        """The worst of what is wrong, or nothing."""
        if self.ended:
            return "the source has ended"
        return self.refusal or self.away or self.source_trouble

    def enter(self, letter: Letter) -> None:
        """Take in one letter."""
        if letter.kind == "missed":
            self.notices.append(letter.text)
        elif letter.kind == "trouble":
            self._away(letter.text)
        elif letter.kind == "end":
            self.refusal = letter.text
        elif letter.received is not None:
            self._came(letter.received.type, json.loads(letter.received.line))

    def _away(self, trouble: str) -> None:
        self.away = trouble
        if trouble:  # nothing is heard meanwhile
            self._was_away = True
            self._hush()

    def _hush(self) -> None:
        self.speech, self.posteriors, self.level_dbfs, self._clipped_s = False, {}, SILENCE_DBFS, -CLIPPING_S

    def _came(self, kind: str, table: dict[str, Any]) -> None:
        if kind == Glimpse.type:
            self._glimpse(table)
        elif kind == Ready.type:
            self.model, self.provider = table["model"], table["provider"]
            self.source, self.mode, self.wanted_mode = table["source"], table["mode"], ""
            self.ended = False
        elif kind in (Digit.type, Rejected.type):
            self._word(table, is_digit=kind == Digit.type)
        elif kind == String.type:
            self.strings.append(Said(self._shown(table["digits"]), table["confidence"], table["legal"]))
            self.string += 1
        elif kind == SourceState.type:
            self._source_state(table["state"], table["dropped_s"])
        elif kind == End.type:
            self.ended = True
            self._hush()

    def _reach(self, at_s: float) -> None:
        """The stream, or the next, has come to `at_s`."""
        if self._was_away or at_s < self.at_s - BACK_S:
            self.stream, self.string, self.picture = self.stream + 1, self.string + 1, Picture()
            self._clipped_s, self._was_away = -CLIPPING_S, False
        self.at_s = at_s

    def _glimpse(self, table: dict[str, Any]) -> None:
        self._reach(table["at_s"])
        self.speech = table["speech"]
        self.level_dbfs, self.floor_dbfs = table["level_dbfs"], table["floor_dbfs"]
        if table["clipping"]:
            self._clipped_s = self.at_s
        self.posteriors = {
            label: max(table["posteriors"].get(label, 0.0), share - FALL)
            for label, share in {**dict.fromkeys(table["posteriors"], 0.0), **self.posteriors}.items()
        }
        if self._veiled:
            self.posteriors = {}
        self.picture.advance(self.at_s, table["mel"], speech=self.speech)

    def _shown(self, digits: str) -> str:
        return VEIL * len(digits) if self._veiled else digits

    def _word(self, table: dict[str, Any], *, is_digit: bool) -> None:
        self._reach(table["emitted_s"])
        middle_s = (table["start_s"] + table["end_s"]) / 2
        label = self._shown(table["digit" if is_digit else "guess"])
        self.words.append(Word(label, table["confidence"], middle_s, is_digit, self.string, self.stream))
        self.n_digits += is_digit
        self.n_rejected += not is_digit
        if is_digit:
            self.latencies_s.append(table["emitted_s"] - table["end_s"])

    def _source_state(self, state: str, dropped_s: float) -> None:
        if state == "back":
            self.source_trouble = ""
        elif state == "overrun":
            self.notices.append(f"{dropped_s:.2f} s of sound were lost")
        else:
            self.source_trouble = TROUBLES.get(state, f"source: {state}")

"""What is published: schema 1, one JSON object a line, the same on every sink."""

import dataclasses
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal

SCHEMA = 1
SourceTrouble = Literal["lost", "stalled"]
"""Of a source that sends nothing any more."""
UNPUBLISHED = "unpublished"
GLIMPSE = "glimpse"
"""The type of what only those who look on are shown, and no event is."""


def unpublished() -> Any:
    """A field, empty by default, that is for the stages and stands on no sink."""
    return dataclasses.field(default=(), metadata={UNPUBLISHED: True}, compare=False)


@dataclass(frozen=True)
class Ready:
    """The model answers and the source is open; once more when the mode is switched."""

    type: ClassVar[str] = "ready"
    model: str
    provider: str
    """The provider in use: cpu or cuda."""
    source: str
    mode: str


@dataclass(frozen=True)
class Digit:
    """A digit, final: it is never taken back."""

    type: ClassVar[str] = "digit"
    digit: str
    confidence: float
    start_s: float
    """Where the word begins in the stream."""
    end_s: float
    """Where the word ends in the stream."""
    emitted_s: float
    """How much of the stream had been taken in."""
    shares: tuple[tuple[str, float], ...] = unpublished()
    """Each digit with how likely it is: what the string decoder chooses from."""


@dataclass(frozen=True)
class Doubt:
    """A sound within speech that was not enough of a digit. It stands on no sink; the string decoder may need it."""

    shares: tuple[tuple[str, float], ...]
    """Each digit with how likely it is."""
    at_s: float


@dataclass(frozen=True)
class Rejected:
    """Speech that was no digit, with the best guess."""

    type: ClassVar[str] = "rejected"
    guess: str
    confidence: float
    start_s: float
    end_s: float
    emitted_s: float


@dataclass(frozen=True)
class Alternative:
    """A string that may have been said."""

    digits: str
    confidence: float


@dataclass(frozen=True)
class String:
    """The digits that were said with less than the end-of-string silence between them."""

    type: ClassVar[str] = "string"
    digits: str
    """The likeliest legal string; where none is, what was heard."""
    confidence: float
    """That it was said, were its digits independent of one another."""
    start_s: float
    end_s: float
    emitted_s: float
    heard: str
    """The digits as they were published."""
    legal: bool
    """Whether `digits` has the configured format."""
    far: bool
    """Whether `digits` is so much unlikelier than what was heard that the speaker should be asked again."""
    n_best: tuple[Alternative, ...]
    """The likeliest legal strings, the best first."""

    def table(self) -> dict[str, Any]:
        """As an event shows it."""
        plain: dict[str, Any] = _plain(self)
        return plain


@dataclass(frozen=True)
class SourceState:
    """The source is in trouble or out of it."""

    type: ClassVar[str] = "source"
    state: SourceTrouble | Literal["back", "silent", "clipping", "overrun"]
    """lost: it has gone. stalled: it is there and sends nothing. silent: nothing but zeros comes. clipping: it is too
    loud for the input. overrun: samples were lost. back: the last of these, but overrun, is over."""
    dropped_s: float
    """How much of the stream is missing before `at_s`."""
    at_s: float
    """Where in the stream."""


@dataclass(frozen=True)
class End:
    """The stream has ended; everything pending was published before."""

    type: ClassVar[str] = "end"
    emitted_s: float
    """Length of the stream."""


Body = Ready | Digit | Rejected | String | SourceState | End
TYPES = tuple(body.type for body in (Ready, Digit, Rejected, String, SourceState, End))


@dataclass(frozen=True)
class Event:
    """A body with its place in the stream's order and its time."""

    body: Body
    seq: int
    stream: str
    time: datetime

    def to_json(self) -> str:
        """One line of JSON without its line end."""
        body = {field.name: _plain(getattr(self.body, field.name)) for field in published(self.body)}
        time = self.time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        head = {"v": SCHEMA, "type": self.body.type, "seq": self.seq, "stream": self.stream}
        return json.dumps(head | body | {"time": time}, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def published(body: Any) -> list[dataclasses.Field[Any]]:
    """The fields that stand on sinks."""
    return [field for field in dataclasses.fields(body) if UNPUBLISHED not in field.metadata]


def _plain(value: Any) -> Any:
    """For JSON. Times to a tenth of a millisecond, confidences to four places: more is noise."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, tuple):
        return [_plain(member) for member in value]
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in published(value)}
    return value


def printable(name: str) -> str:
    """A file's name with what is no UTF-8 in it replaced, so that it can be written."""
    return os.fsencode(name).decode("utf-8", "replace")


class Stamp:
    """Numbers one stream's events without holes and dates them."""

    def __init__(self, stream: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._stream = printable(stream)
        self._now = now
        self._next_seq = 0

    def event(self, body: Body) -> Event:
        """The next event of the stream."""
        seq, self._next_seq = self._next_seq, self._next_seq + 1
        return Event(body, seq, self._stream, self._now())

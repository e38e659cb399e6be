"""Lines of a daemon's socket -> events."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from digitd.daemon.errors import ConfigError, SinkError
from digitd.daemon.events import GLIMPSE, SCHEMA, Alternative, Digit, Event, String, published
from digitd.daemon.settings import from_table

NO_SEQ = -1
SHOWN_BYTES = 100
"""So much of a line that is no event is repeated in its refusal."""


@dataclass(frozen=True)
class Received:
    """An event as it came, of a type that this version may not know; or a glimpse, which has no number."""

    line: str
    type: str
    stream: str
    seq: int
    """NO_SEQ of a glimpse."""
    event: Event | None
    """The event itself, where there may be a line of digits for it."""


def received(line: bytes) -> Received:
    """What a line tells.

    Raises:
        SinkError: it is no event of this schema.
    """
    try:
        text = line.decode()
        table = json.loads(text)
        kind, stream = table["type"], table["stream"]
        seq = NO_SEQ if kind == GLIMPSE else table["seq"]
        if (table["v"], type(kind), type(stream), type(seq)) == (SCHEMA, str, str, int):
            body = _body(kind, table)
            event = None if body is None else Event(body, seq, stream, datetime.fromisoformat(table["time"]))
            return Received(text, kind, stream, seq, event)
    except (ValueError, LookupError, TypeError, RecursionError, ConfigError):
        pass
    shown = f"{line[:SHOWN_BYTES]!r}{'...' if len(line) > SHOWN_BYTES else ''}"
    raise SinkError(f"{shown} is no event of schema {SCHEMA}; is it a `digitd run` of this version that is there?")


def _body(kind: str, table: dict[str, Any]) -> Digit | String | None:
    if kind == Digit.type:
        return from_table(Digit, _known(Digit, table), kind)
    if kind == String.type:
        n_best = [_known(Alternative, best) for best in table["n_best"]]
        return from_table(String, _known(String, table) | {"n_best": n_best}, kind)
    return None


def _known(body: type, table: dict[str, Any]) -> dict[str, Any]:
    """Without what a later version of the schema has added."""
    return {field.name: table[field.name] for field in published(body)}

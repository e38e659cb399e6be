"""Lines of a daemon's socket -> events."""

import json
import typing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from digitd.daemon.errors import ConfigError, SinkError
from digitd.daemon.events import GLIMPSE, SCHEMA, Alternative, Body, Digit, Event, String, published
from digitd.daemon.settings import from_table

NO_SEQ = -1
BODIES: dict[str, type[Body]] = {body.type: body for body in typing.get_args(Body)}
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
    """The event itself, where this version knows its type and what it tells."""


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


def _body(kind: str, table: dict[str, Any]) -> Body | None:
    """What an event tells; a digit or a string that cannot be read is no event, another may be of a later version."""
    if kind == String.type:
        n_best = [_known(Alternative, best) for best in table["n_best"]]
        return from_table(String, _known(String, table) | {"n_best": n_best}, kind)
    if kind not in BODIES:
        return None
    try:
        return from_table(BODIES[kind], _known(BODIES[kind], table), kind)
    except (LookupError, ConfigError):
        if kind == Digit.type:
            raise
        return None


def _known(body: type, table: dict[str, Any]) -> dict[str, Any]:
    """Without what a later version of the schema has added."""
    return {field.name: table[field.name] for field in published(body)}

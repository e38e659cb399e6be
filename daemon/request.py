"""What a reader of the socket may ask, a line each: `{"mode":"entry"}`, `{"mode":"always"}`, `{"glimpses":true}`."""

import json
from dataclasses import dataclass

from digitd.daemon.errors import ConfigError
from digitd.daemon.events import SCHEMA
from digitd.daemon.mode import Mode
from digitd.daemon.settings import from_table

MAX_LINE_BYTES = 4096
"""Of a request, its line end not counted."""
SHOWN_CHARACTERS = 200
"""So much of a request is repeated in its refusal."""
REMEDY = 'send {"mode":"entry"}, {"mode":"always"} or {"glimpses":true} and a line end'


@dataclass(frozen=True)
class Request:
    """Something that a reader asks for."""

    mode: Mode | None = None
    """For all: the mode to go by from here on."""
    glimpses: bool | None = None
    """For this reader: whether to be shown what is heard."""

    def __post_init__(self) -> None:
        if self.mode is None and self.glimpses is None:
            raise ValueError("asks for nothing")


class Lines:
    """Cuts what was sent into lines, whatever pieces it comes in, and holds no more than MAX_LINE_BYTES of it.

    Of a line that is longer, the first MAX_LINE_BYTES + 1 bytes come out, as soon as they are there.
    """

    def __init__(self) -> None:
        self._waiting = b""
        self._skipping = False

    def push(self, sent: bytes) -> list[bytes]:
        """The lines, without their ends, that `sent` completes."""
        found = []
        *whole, rest = (self._waiting + sent).split(b"\n")
        for line in whole:
            if not self._skipping:
                found.append(line[: MAX_LINE_BYTES + 1])
            self._skipping = False
        if len(rest) > MAX_LINE_BYTES and not self._skipping:
            found.append(rest[: MAX_LINE_BYTES + 1])
            self._skipping = True
        self._waiting = b"" if self._skipping else rest
        return found

    def finish(self) -> list[bytes]:
        """The line that has no end when nothing more is sent."""
        waiting, self._waiting = self._waiting, b""
        return [waiting] if waiting else []


def requested(line: bytes) -> Request:
    """What one line of `Lines` asks for.

    Raises:
        ConfigError: it asks for nothing that is known.
    """
    if len(line) > MAX_LINE_BYTES:
        raise ConfigError(f"{_shown(repr(line))} is longer than {MAX_LINE_BYTES} bytes; {REMEDY}")
    try:
        table = json.loads(line.decode())
        if isinstance(table, dict):
            return from_table(Request, table, "request")
    except ConfigError as error:
        raise ConfigError(f"{_shown(str(error))}; {REMEDY}") from error
    except (ValueError, RecursionError):  # no UTF-8, no JSON, or 4,000 brackets
        pass
    raise ConfigError(f"{_shown(repr(line))} is no JSON object; {REMEDY}")


def refusal(error: ConfigError) -> bytes:
    """The line that answers a request which cannot be met."""
    return json.dumps({"v": SCHEMA, "type": "error", "message": str(error)}, separators=(",", ":")).encode() + b"\n"


def _shown(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."

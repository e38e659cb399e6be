"""The first line of a caller: how his stream sounds, and what it is to be called."""

import json
from dataclasses import dataclass

from digitd.daemon.audio import HIGHEST_RATE_HZ, LOWEST_RATE_HZ
from digitd.daemon.errors import ConfigError
from digitd.daemon.events import SCHEMA
from digitd.daemon.mode import Mode
from digitd.daemon.request import MAX_LINE_BYTES
from digitd.daemon.settings import from_table, setting

MAX_NAME_CHARACTERS = 100
REMEDY = 'begin with a line like {"stream":"kitchen","rate_hz":16000,"channels":1}, then send s16le samples'


@dataclass(frozen=True)
class Greeting:
    """What a caller tells before his samples: raw s16le, interleaved."""

    stream: str = ""
    """The stream's name on its events; empty: one is made up."""
    rate_hz: int = setting(16000, at_least=LOWEST_RATE_HZ, at_most=HIGHEST_RATE_HZ)
    channels: int = setting(1, at_least=1, at_most=64)
    mode: Mode | None = None
    """To go by throughout; else the daemon's, also when that is switched."""

    def __post_init__(self) -> None:
        if len(self.stream) > MAX_NAME_CHARACTERS or not self.stream.isprintable():
            raise ValueError(
                f"stream = {self.stream!r:.200} must be at most {MAX_NAME_CHARACTERS} printable characters"
            )


def greeted(line: bytes) -> Greeting:
    """What a line tells.

    Raises:
        ConfigError: it is no greeting.
    """
    if len(line) > MAX_LINE_BYTES:
        raise ConfigError(f"the first line is longer than {MAX_LINE_BYTES} bytes; {REMEDY}")
    try:
        table = json.loads(line.decode())
    except (ValueError, RecursionError):  # no UTF-8, no JSON, or thousands of brackets
        table = None
    if not isinstance(table, dict):
        raise ConfigError(f"{line[:100]!r} is no JSON object; {REMEDY}")
    try:
        return from_table(Greeting, table, "greeting")
    except ConfigError as error:
        raise ConfigError(f"{error}; {REMEDY}".replace("\n", "; ")) from error


def accepted(stream: str) -> bytes:
    """The line that a caller is told before his events."""
    return _line({"v": SCHEMA, "type": "accepted", "stream": stream})


def refused(reason: str) -> bytes:
    """The line that a caller is told who is not heard, or no further."""
    return _line({"v": SCHEMA, "type": "refused", "reason": reason})


def _line(table: dict[str, object]) -> bytes:
    return json.dumps(table, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"

"""How the log is written: for a person, for the journal, or as JSON lines for what collects logs."""

import json
import logging
import os
import sys
from datetime import UTC, datetime
from typing import Any, Literal

LogFormat = Literal["auto", "text", "journal", "json"]

_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
"""Of syslog(3); the journal takes them from the front of a line (sd-daemon(3))."""


def begin(level: str, log_format: LogFormat) -> None:
    """Write the log to standard error; `auto` writes for the journal where that is the journal.

    `extra={"fields": {...}}` of a call becomes `key=value` behind the message, or keys of the JSON object.
    """
    handler = logging.StreamHandler(sys.stderr)
    if log_format == "auto":
        log_format = "journal" if sys.stderr is not None and goes_to_journal(sys.stderr.fileno()) else "text"
    handler.setFormatter({"text": TextFormat, "journal": JournalFormat, "json": JsonFormat}[log_format]())
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())


def goes_to_journal(descriptor: int) -> bool:
    """Whether a descriptor is the journal's (JOURNAL_STREAM of systemd.exec(5))."""
    device, _, inode = os.environ.get("JOURNAL_STREAM", "").partition(":")
    status = os.fstat(descriptor)
    return (device, inode) == (str(status.st_dev), str(status.st_ino))


class TextFormat(logging.Formatter):
    """`digitd: WARNING: message key=value`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        return f"digitd: {record.levelname}: {_line(self, record)}"


class JournalFormat(logging.Formatter):
    """`<4>message key=value`: the journal itself adds time and name."""

    def format(self, record: logging.LogRecord) -> str:
        """One line; those that follow, of a traceback, have the same priority."""
        priority = f"<{_PRIORITIES.get(record.levelno, 6)}>"
        return "\n".join(priority + line for line in _line(self, record).splitlines())


class JsonFormat(logging.Formatter):
    """A JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        head = {"time": time, "level": record.levelname.lower(), "logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            head["exception"] = self.formatException(record.exc_info)
        return json.dumps(head | _fields(record), separators=(",", ":"), ensure_ascii=False, default=str)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields: dict[str, Any] = getattr(record, "fields", {})
    return fields


def _line(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    pairs = "".join(f" {key}={value}" for key, value in _fields(record).items())
    trace = f"\n{formatter.formatException(record.exc_info)}" if record.exc_info else ""
    return record.getMessage() + pairs + trace

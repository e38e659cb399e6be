"""What a check has found: good, doubtful or bad, and what to do about it."""

from dataclasses import dataclass
from typing import Literal

from digitd.daemon.errors import DigitdError

Status = Literal["ok", "warn", "fail"]
"""warn: the daemon runs, but less well than it might. fail: it does not run, or does not hear."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    status: Status
    what: str
    finding: str
    remedy: str = ""
    """What to do; empty where all is well."""

    def __str__(self) -> str:
        """A line, and one with the remedy where there is one."""
        line = f"{self.status:<4}  {_shown(self.what)}: {_shown(self.finding)}"
        return f"{line}\n      -> {_shown(self.remedy)}" if self.remedy else line


def ok(what: str, finding: str) -> Finding:
    """All is well."""
    return Finding("ok", what, finding)


def warn(what: str, finding: str, remedy: str) -> Finding:
    """It could be better."""
    return Finding("warn", what, finding, remedy)


def fail(what: str, finding: str, remedy: str) -> Finding:
    """It cannot stay so."""
    return Finding("fail", what, finding, remedy)


def failed(what: str, error: DigitdError) -> Finding:
    """What an error tells: behind its last semicolon stands the remedy."""
    finding, _, remedy = str(error).replace("\n", " | ").rpartition("; ")
    return fail(what, finding, remedy) if finding else fail(what, remedy, "mend what it tells")


def _shown(text: str) -> str:
    """Names of devices and files may hold anything; a terminal gets what can be printed."""
    return text if text.isprintable() else text.encode("unicode_escape").decode()

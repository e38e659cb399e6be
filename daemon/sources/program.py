"""The capture program, running: started when it is asked for, or ahead, while the daemon itself still loads.

Loading it and looking for devices take a tenth of a second, on another core than the daemon's own start.
"""

import os
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

MICROPHONE = "mic"
"""The SPEC of the default microphone, and what comes where none is named."""


class Program:
    """A capture program of its own process; it opens the microphone that it is told."""

    def __init__(self, *, quiet: bool) -> None:
        import subprocess  # 4 ms, which a daemon that hears files need not spend

        reading, writing = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "digitd.daemon.sources.capture"],
            stdin=subprocess.PIPE,
            stdout=writing,
            stderr=subprocess.DEVNULL if quiet else None,  # some 80 lines of ALSA's and JACK's
            start_new_session=True,  # a terminal's signals are for the daemon
            bufsize=0,
        )
        os.close(writing)
        self.pipe = reading
        """Its standard output, until `end`; then -1."""

    def tell(self, line: bytes) -> None:
        """Ask it to open a microphone, or tell it whether the daemon rests."""
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        with suppress(BrokenPipeError):  # it has ended, which its output tells
            self._process.stdin.write(line)

    def status(self) -> int:
        """Its exit status, once its output has ended."""
        return self._process.wait()

    def end(self) -> None:
        """End it, by a kill: PortAudio may hang with its audio server."""
        if self.pipe >= 0:
            os.close(self.pipe)
            self.pipe = -1
        self._process.kill()
        self._process.communicate()


_ahead: list[Program] = []  # that nobody has taken: one or none


@contextmanager
def started_ahead(flags: dict[str, Any], config_file: Path | None) -> Iterator[None]:
    """A program waits within, for `taken` to take it, where a microphone will be asked for; else it is ended.

    Args:
        flags: the command line as a table like digitd.toml's.
        config_file: a digitd.toml; where it is damaged nothing is started, and who reads it in earnest tells.
    """
    if _will_be_asked_for(flags, _table(config_file) if config_file else {}):
        _ahead.append(Program(quiet=True))
    try:
        yield
    finally:
        while _ahead:
            _ahead.pop().end()


def taken(*, quiet: bool) -> Program:
    """The program that was started ahead, else a new one; one that is not `quiet` cannot be started ahead."""
    return _ahead.pop() if _ahead and quiet else Program(quiet=quiet)


def _table(config_file: Path) -> dict[str, Any]:
    """A file's table; one that asks for no microphone where it is damaged, or cannot be read twice."""
    if config_file.is_file():  # and no pipe
        with suppress(OSError, ValueError, RecursionError):
            return tomllib.loads(config_file.read_text(encoding="utf-8"))
    return {"source": None}


def _will_be_asked_for(flags: dict[str, Any], below: dict[str, Any]) -> bool:
    """As far as can be told of settings that nobody has checked yet."""
    if "debug" in (flags.get("log_level"), below.get("log_level")):
        return False
    for table in (flags, below):
        if specs := _specs(table):
            return any(spec == MICROPHONE or spec.startswith(f"{MICROPHONE}:") for spec in specs)
    return below.get("source", {}) is not None


def _specs(table: dict[str, Any]) -> list[str]:
    """The sources that a table names."""
    listed = table.get("sources") or [table.get("source")]
    sources = [source for source in listed if isinstance(source, dict)] if isinstance(listed, list) else []
    return [str(source["spec"]) for source in sources if "spec" in source]

"""Whether a source that is no microphone can be opened."""

import os
from collections.abc import Iterator
from pathlib import Path

from digitd.daemon.checks.finding import Finding, ok
from digitd.daemon.checks.host import Host
from digitd.daemon.config import DaemonConfig
from digitd.daemon.sources.source import open_source

WHAT = "source"


def examine(_host: Host, config: DaemonConfig) -> Iterator[Finding]:
    """The file; a pipe is left unread."""
    spec = config.source.spec
    if spec == "-":
        yield ok(WHAT, f"raw s16le of {config.source.rate_hz} Hz on standard input; no microphone is looked at")
        return
    if config.source.callers:
        yield ok(WHAT, f"streams come over {config.source.callers}; no microphone is looked at")
        return
    if os.path.lexists(spec) and not Path(spec).is_file():
        yield ok(WHAT, f"{spec} is no plain file and is left unread; no microphone is looked at")
        return
    source = open_source(config.source, config.source.rate_hz)
    source.close()
    yield ok(WHAT, f"{spec} can be read, {source.rate_hz} Hz; no microphone is looked at")

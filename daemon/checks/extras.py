"""Whether what the settings ask for beside hearing is there: sinks, metrics, check digits."""

from collections.abc import Callable, Iterator
from typing import Any

from digitd.daemon.checks.finding import Finding, failed, ok
from digitd.daemon.checks.host import Host
from digitd.daemon.config import DaemonConfig
from digitd.daemon.errors import ConfigError, SinkError
from digitd.daemon.metrics import Metrics
from digitd.daemon.settings import nearest
from digitd.daemon.sinks.hook import words
from digitd.daemon.sinks.sink import KINDS
from digitd.daemon.string_format import StringFormat


def examine(_host: Host, config: DaemonConfig) -> Iterator[Finding]:
    """Each of them; nothing of what is not asked for, and of standard output. `sockets` looks at Unix sockets."""
    for spec in config.sinks:
        if spec not in KINDS and not spec.startswith("unix:"):
            yield from _tried(f"sink {spec}", _try_hook, spec)
    if config.metrics.listen:
        yield from _tried("metrics", Metrics, config.secret)
    if config.string.format.check:
        yield from _tried("check digits", StringFormat, config.string.format)


def _tried(what: str, make: Callable[[Any], object], argument: object) -> Iterator[Finding]:
    try:
        make(argument)
    except (ConfigError, SinkError) as error:
        yield failed(what, error)
    else:
        yield ok(what, "what it needs is there")


def _try_hook(spec: str) -> None:
    kind, _, command = spec.partition(":")
    if kind != "exec":
        raise SinkError(f"no sink {spec!r}{nearest(spec, KINDS)}")
    words(command)

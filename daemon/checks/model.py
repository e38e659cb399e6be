"""Whether the bundle is whole and answers as it did when it was released."""

import time
from collections.abc import Iterator

from digitd.daemon.bundle import load
from digitd.daemon.checks.finding import Finding, ok
from digitd.daemon.checks.host import Host
from digitd.daemon.config import DaemonConfig
from digitd.daemon.listener import open_network


def examine(_host: Host, config: DaemonConfig) -> Iterator[Finding]:
    """The bundle on the CPU; `provider` tells of where it shall run."""
    began_s = time.monotonic()
    bundle = load(config.model.name)
    open_network(bundle, "cpu")
    took_s = time.monotonic() - began_s
    manifest = bundle.manifest
    yield ok("model", f"{manifest.name!r} ({manifest.kind}) gives its golden vector; loaded in {took_s:.2f} s")

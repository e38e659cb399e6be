"""Sockets that the service manager has opened before the daemon started (sd_listen_fds(3))."""

import os
import socket
from collections.abc import MutableMapping
from pathlib import Path

from digitd.daemon.errors import SinkError

FIRST_DESCRIPTOR = 3


def handed_over(environment: MutableMapping[str, str] = os.environ) -> dict[Path, socket.socket]:
    """The listening Unix sockets that were handed over, by their paths.

    LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES are taken out of the environment: they are not for children.

    Raises:
        SinkError: something else was handed over.
    """
    pid, count = environment.pop("LISTEN_PID", ""), environment.pop("LISTEN_FDS", "")
    environment.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()) or not count.isdecimal():
        return {}
    found = {}
    for descriptor in range(FIRST_DESCRIPTOR, FIRST_DESCRIPTOR + int(count)):
        given = socket.socket(fileno=descriptor)
        given.set_inheritable(False)
        if given.family != socket.AF_UNIX or not given.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise SinkError(
                f"descriptor {descriptor} that was handed over is no listening Unix socket; mend ListenStream= of the "
                "socket unit"
            )
        found[Path(os.fsdecode(given.getsockname()))] = given
    return found

"""What systemd is told: ready, alive, what it hears (sd_notify(3), one datagram each).

The watchdog is fed by audio alone: a daemon that is deaf is no better than a dead one.
"""

import logging
import os
import socket
import time
from collections.abc import MutableMapping

STATUS_EVERY_S = 5.0
logger = logging.getLogger(__name__)


class Notifier:
    """Talks to the service manager, or to nobody where none asked.

    Args:
        environment: NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID are taken out of it: they are not for children.
    """

    def __init__(self, environment: MutableMapping[str, str] = os.environ) -> None:
        address = environment.pop("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        watchdog_us, watchdog_pid = environment.pop("WATCHDOG_USEC", ""), environment.pop("WATCHDOG_PID", "")
        ours = watchdog_us.isdecimal() and watchdog_pid in ("", str(os.getpid()))
        self._feed_every_s = int(watchdog_us) / 4e6 if ours else None
        self._fed_s = self._status_s = float("-inf")
        self._ready = False
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) if address else None

    def hear(self) -> None:
        """Audio has come: the first time that is READY, and each time food for the watchdog."""
        now_s = time.monotonic()
        if not self._ready:
            self._ready = True
            self._tell("READY=1")
        if self._feed_every_s is not None and now_s - self._fed_s >= self._feed_every_s:
            self._fed_s = now_s
            self._tell("WATCHDOG=1")

    def status_due(self) -> bool:
        """Whether `status` was not called for STATUS_EVERY_S."""
        return self._socket is not None and time.monotonic() - self._status_s >= STATUS_EVERY_S

    def status(self, text: str) -> None:
        """Tell in a line what is going on."""
        self._status_s = time.monotonic()
        self._tell(f"STATUS={text}")

    def reloading(self) -> None:
        """The settings are read again."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def reloaded(self) -> None:
        """The settings were read again, or refused."""
        if self._ready:
            self._tell("READY=1")

    def stopping(self) -> None:
        """The stream has ended."""
        self._tell("STOPPING=1")

    def close(self) -> None:
        """Tell nothing more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _tell(self, message: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto(message.encode(), socket.MSG_DONTWAIT, self._address)
        except OSError as error:  # a service manager that is gone or busy must not end the recognition
            logger.warning("the service manager was not told %r: %s", message, error)

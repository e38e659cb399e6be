"""How a program with an event loop is told to end."""

import asyncio
import signal
from collections.abc import Callable


def on_signal(stop: Callable[[], None]) -> None:
    """From here on SIGINT and SIGTERM call `stop` in the running loop."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)

"""What is asked of a running daemon by signals."""

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event as Flag
from types import FrameType

from digitd.daemon.mode import Mode
from digitd.daemon.mode_switch import ModeSwitch

logger = logging.getLogger(__name__)


class Controls:
    """Flags that signal handlers set and the stream's thread looks at."""

    def __init__(self, mode: Mode) -> None:
        self.stop = Flag()
        """SIGINT, SIGTERM: end."""
        self.reload = Flag()
        """SIGHUP: read the settings again."""
        self.switch = ModeSwitch(mode)
        """SIGUSR1 toggles it."""


@contextmanager
def heeded(controls: Controls, *, reloads: bool) -> Iterator[None]:
    """Signals set the controls; the handlers before are restored.

    SIGHUP asks for a reload where the daemon `reloads`; without a file to read again it keeps its meaning, that the
    terminal is gone.
    """

    def on_stop(number: int, _frame: FrameType | None) -> None:
        logger.info("%s: stopping", signal.Signals(number).name)
        controls.stop.set()

    def on_toggle(_number: int, _frame: FrameType | None) -> None:
        controls.switch.toggle()

    def on_reload(_number: int, _frame: FrameType | None) -> None:
        controls.reload.set()

    handlers = {signal.SIGINT: on_stop, signal.SIGTERM: on_stop, signal.SIGUSR1: on_toggle}
    if reloads:
        handlers[signal.SIGHUP] = on_reload
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

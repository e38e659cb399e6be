"""Opens a page in the desktop's browser."""

import logging
import subprocess
import threading

OPENER = "xdg-open"
REMEDY = "open the printed address yourself"

logger = logging.getLogger(__name__)


def show(url: str) -> None:
    """Have the desktop open a page; where it cannot, the log tells it, for the page is there all the same.

    Not by Python's webbrowser: that may take a text browser, and this terminal with it.
    """
    nowhere = subprocess.DEVNULL
    try:  # in a session of its own: Ctrl-C here is not meant for it
        opener = subprocess.Popen([OPENER, url], stdin=nowhere, stdout=nowhere, stderr=nowhere, start_new_session=True)
    except OSError as error:
        logger.warning("--open: %s cannot be run (%s); %s", OPENER, error.strerror, REMEDY)
        return
    threading.Thread(target=_watch, args=(opener,), name="opener", daemon=True).start()


def _watch(opener: "subprocess.Popen[bytes]") -> None:
    """Wait for it, which may last as long as the browser."""
    if status := opener.wait():
        logger.warning("--open: %s ended with status %d; %s", OPENER, status, REMEDY)

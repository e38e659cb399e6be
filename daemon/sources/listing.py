"""All microphones of the machine, asked for once."""

import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from digitd.daemon.sources.devices import Microphone, initialise, listed

logger = logging.getLogger(__name__)


def microphones() -> list[Microphone]:
    """All input devices.

    Raises:
        MicrophoneError: PyAudio is not installed.
    """
    with _captured_stderr():
        _, portaudio = initialise()
        try:
            return listed(portaudio)
        finally:
            portaudio.terminate()


@contextmanager
def _captured_stderr() -> Iterator[None]:
    """Send what ALSA and JACK print (some 80 lines) to the debug log."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as noise:
        os.dup2(noise.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            noise.seek(0)
            for line in noise.read().decode(errors="replace").splitlines():
                logger.debug("PortAudio: %s", line)

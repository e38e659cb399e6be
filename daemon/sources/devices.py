"""The microphones that PortAudio knows, by names that stay the same when devices come and go."""

import logging
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from digitd.daemon.errors import MicrophoneError
from digitd.daemon.settings import nearest

_HARDWARE_INDEX = re.compile(r" \(hw:\d+,\d+\)$")
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Microphone:
    """An input device."""

    name: str
    """PortAudio's name without the ALSA card number, which moves; a second of the same name ends in `#2`."""
    index: int
    channels: int
    rate_hz: int
    """Its own rate."""
    default: bool


def microphones() -> list[Microphone]:
    """All input devices.

    Raises:
        MicrophoneError: PyAudio is not installed.
    """
    with captured_stderr():
        _, portaudio = initialise()
        try:
            return listed(portaudio)
        finally:
            portaudio.terminate()


def find(devices: list[Microphone], name: str | None) -> Microphone:
    """The device of that name, or the default one.

    Raises:
        MicrophoneError: there is none; the message lists those that exist.
    """
    names = [device.name for device in devices]
    listing = f"there are {', '.join(map(repr, names))}" if names else "there is none at all"
    if name is None:
        default = next((device for device in devices if device.default), None)
        if default is None:
            raise MicrophoneError(f"no default microphone; {listing}")
        return default
    if name not in names:
        raise MicrophoneError(f"no microphone {name!r}{nearest(name, names) if names else ''}; {listing}")
    return devices[names.index(name)]


def initialise() -> tuple[Any, Any]:
    """The pyaudio module and a PortAudio instance, which knows the devices of this moment and no later ones.

    Raises:
        MicrophoneError: PyAudio is not installed.
    """
    try:
        import pyaudio
    except ImportError as error:
        raise MicrophoneError(
            "the microphone needs PyAudio: install portaudio19-dev, then pip install 'digitd[mic]'"
        ) from error
    return pyaudio, pyaudio.PyAudio()


def listed(portaudio: Any) -> list[Microphone]:
    """The input devices of a PortAudio instance."""
    try:
        default = portaudio.get_default_input_device_info()["index"]
    except OSError:
        default = None
    seen: Counter[str] = Counter()
    devices = []
    for index in range(portaudio.get_device_count()):
        info = portaudio.get_device_info_by_index(index)
        if info["maxInputChannels"]:
            name = _HARDWARE_INDEX.sub("", info["name"])
            seen[name] += 1
            devices.append(
                Microphone(
                    name=name if seen[name] == 1 else f"{name} #{seen[name]}",
                    index=index,
                    channels=info["maxInputChannels"],
                    rate_hz=int(info["defaultSampleRate"]),
                    default=index == default,
                )
            )
    return devices


@contextmanager
def captured_stderr() -> Iterator[None]:
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

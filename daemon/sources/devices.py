"""The microphones that PortAudio knows, by names that stay the same when devices come and go."""

import re
from collections import Counter
from typing import Any, NamedTuple

from digitd.daemon.errors import MicrophoneError

_HARDWARE_INDEX = re.compile(r" \(hw:\d+,\d+\)$")


class Microphone(NamedTuple):
    """An input device; as a dataclass it would cost the capture program 2 MB, which `dataclasses` takes along."""

    name: str
    """PortAudio's name without the ALSA card number, which moves; a second of the same name ends in `#2`."""
    device_index: int
    channels: int
    rate_hz: int
    """Its own rate."""
    default: bool


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
        from digitd.daemon.settings import nearest  # the capture program stays small without it

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
                    device_index=index,
                    channels=info["maxInputChannels"],
                    rate_hz=int(info["defaultSampleRate"]),
                    default=index == default,
                )
            )
    return devices

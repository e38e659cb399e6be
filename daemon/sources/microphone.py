"""A microphone through PortAudio, chosen by a name that stays the same when devices come and go."""

import logging
import os
import queue
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any

from digitd.daemon.audio import LIVE_CHUNK_MS, Block, from_pcm16
from digitd.daemon.errors import MicrophoneError
from digitd.daemon.settings import nearest

BUFFERED_CHUNKS = 250
"""5 s of live chunks wait for a busy pipeline; what comes after is dropped and reported."""
POLL_S = 0.1
CLOSE_S = 0.5
STALL_S = 2.0
"""A microphone that sends nothing for so long is lost."""

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


class MicrophoneSource:
    """Live audio of one microphone; PortAudio's thread fills a bounded queue.

    Args:
        name: as `digitd devices` lists it; None takes the default.
        rate_hz: asked for first, so that nothing need be resampled; else the device's own.

    Raises:
        MicrophoneError: no such microphone, or it cannot be opened.
    """

    def __init__(self, name: str | None, rate_hz: int) -> None:
        self.name = "mic"
        self._chunks: queue.Queue[tuple[bytes, int]] = queue.Queue(BUFFERED_CHUNKS)
        self._dropped_frames = 0
        with _captured_stderr():
            self._pyaudio, self._portaudio = _initialise()
            try:
                self._device = find(_list(self._portaudio), name)
                self.rate_hz, self._channels = self._format(rate_hz)
                self._stream = self._open()
            except MicrophoneError:
                self._portaudio.terminate()
                raise

    def blocks(self, stop: Event) -> Iterator[Block]:
        """Live chunks as they come.

        Raises:
            MicrophoneError: none has come for STALL_S.
        """
        self._stream.start_stream()
        silent_s = 0.0
        while not stop.is_set():
            try:
                raw, dropped_frames = self._chunks.get(timeout=POLL_S)
            except queue.Empty:
                silent_s += POLL_S
                if silent_s >= STALL_S:
                    raise MicrophoneError(
                        f"microphone {self._device.name!r} has sent nothing for {STALL_S:g} s; is it still plugged in "
                        "and the audio server running?"
                    ) from None
                continue
            silent_s = 0.0
            yield Block(from_pcm16(raw, self._channels), dropped_frames)

    def close(self) -> None:
        """Stop the stream and PortAudio; a frozen audio server is waited for no longer than CLOSE_S."""
        closing = Thread(target=self._close, daemon=True)
        closing.start()
        closing.join(CLOSE_S)
        if closing.is_alive():
            logger.warning("the audio server does not answer; microphone %r is left open", self._device.name)

    def _close(self) -> None:
        self._stream.close()
        self._portaudio.terminate()

    def _format(self, rate_hz: int) -> tuple[int, int]:
        """(rate, channels): what is asked for where the device has it, else its own."""
        try:
            self._portaudio.is_format_supported(
                rate_hz, input_device=self._device.index, input_channels=1, input_format=self._pyaudio.paInt16
            )
        except ValueError:
            return self._device.rate_hz, min(2, self._device.channels)
        return rate_hz, 1

    def _open(self) -> Any:
        try:
            return self._portaudio.open(
                format=self._pyaudio.paInt16,
                channels=self._channels,
                rate=self.rate_hz,
                input=True,
                input_device_index=self._device.index,
                frames_per_buffer=self.rate_hz * LIVE_CHUNK_MS // 1000,
                stream_callback=self._take,
                start=False,
            )
        except OSError as error:
            raise MicrophoneError(
                f"microphone {self._device.name!r} cannot be opened ({error}); is another program holding it?"
            ) from error

    def _take(self, raw: bytes, n_frames: int, _time: object, _status: int) -> tuple[None, int]:
        """PortAudio's callback, on its thread: never waits."""
        try:
            self._chunks.put_nowait((raw, self._dropped_frames))
            self._dropped_frames = 0
        except queue.Full:
            self._dropped_frames += n_frames
        return None, self._pyaudio.paContinue


def microphones() -> list[Microphone]:
    """All input devices.

    Raises:
        MicrophoneError: PyAudio is not installed.
    """
    with _captured_stderr():
        _, portaudio = _initialise()
        try:
            return _list(portaudio)
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


def _initialise() -> tuple[Any, Any]:
    """The pyaudio module and a PortAudio instance."""
    try:
        import pyaudio
    except ImportError as error:
        raise MicrophoneError(
            "the microphone needs PyAudio: install portaudio19-dev, then pip install 'digitd[mic]'"
        ) from error
    return pyaudio, pyaudio.PyAudio()


def _list(portaudio: Any) -> list[Microphone]:
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

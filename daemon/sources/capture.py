"""The program that holds a microphone open for the daemon: `python -m digitd.daemon.sources.capture [NAME] RATE_HZ`.

PortAudio knows no device that comes later, prints on standard error, and hangs with its audio server. In a process of
its own all that is mended by a kill. It writes a line of JSON, what it opened or why it could not, then records: RECORD
and the s16le samples. It ends when its standard input closes: with the daemon.
"""

import fcntl
import json
import os
import signal
import struct
import sys
import threading
import time
from contextlib import suppress
from typing import Any

from digitd.daemon.errors import MicrophoneError
from digitd.daemon.sources.devices import Microphone, find, initialise, listed

RECORD = struct.Struct("<IId")
"""Bytes that follow, frames lost before them, and when the last frame came by the monotonic clock."""
CHUNK_MS = 40
"""A network of streams answers once in so long; waking up twice as often costs a quarter more processor time."""
PIPE_BYTES = 256 * 1024
"""8 s wait for a busy daemon at 16 kHz; what comes after is dropped and reported."""
POLL_S = 0.2


class Capture:
    """An open microphone, whose sound PortAudio's own thread writes into a pipe.

    Raises:
        MicrophoneError: no such microphone, or it cannot be opened.
    """

    def __init__(self, name: str | None, rate_hz: int, pipe: int) -> None:
        self._pipe = pipe
        self._rest = b""  # of a record that did not fit into the pipe
        self._dropped_frames = 0
        self._pyaudio, self._portaudio = initialise()
        self.device = find(listed(self._portaudio), name)
        self.rate_hz, self.channels = self._format(self.device, rate_hz)
        self._stream = self._open()

    def _format(self, device: Microphone, rate_hz: int) -> tuple[int, int]:
        """(rate, channels): what is asked for where the device has it, else its own."""
        try:
            self._portaudio.is_format_supported(
                rate_hz, input_device=device.index, input_channels=1, input_format=self._pyaudio.paInt16
            )
        except ValueError:
            return device.rate_hz, min(2, device.channels)
        return rate_hz, 1

    def _open(self) -> Any:
        try:
            return self._portaudio.open(
                format=self._pyaudio.paInt16,
                channels=self.channels,
                rate=self.rate_hz,
                input=True,
                input_device_index=self.device.index,
                frames_per_buffer=self.rate_hz * CHUNK_MS // 1000,
                stream_callback=self._take,
                start=False,
            )
        except OSError as error:
            raise MicrophoneError(
                f"microphone {self.device.name!r} cannot be opened ({error}); is another program holding it?"
            ) from error

    def _take(self, raw: bytes, n_frames: int, _time: object, _status: int) -> tuple[None, int]:
        """PortAudio's callback, on its thread: never waits."""
        try:
            written = self._flush() and self._write(RECORD.pack(len(raw), self._dropped_frames, time.monotonic()) + raw)
        except BlockingIOError:
            written = False
        except BrokenPipeError:
            os._exit(0)
        self._dropped_frames = 0 if written else self._dropped_frames + n_frames
        return None, self._pyaudio.paContinue

    def _flush(self) -> bool:
        """Whether nothing is left of the last record."""
        if self._rest:
            self._rest = self._rest[os.write(self._pipe, self._rest) :]
        return not self._rest

    def _write(self, record: bytes) -> bool:
        self._rest = record[os.write(self._pipe, record) :]
        return True

    def run(self) -> None:
        """Capture until PortAudio itself gives the stream up."""
        os.set_blocking(self._pipe, False)
        self._stream.start_stream()
        while self._stream.is_active():
            time.sleep(POLL_S)


def _end_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os._exit(0)  # PortAudio may hang; nothing is to be saved


def main(arguments: list[str]) -> None:
    """Open, tell, write."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the daemon's; it closes this process in order
    threading.Thread(target=_end_with_parent, daemon=True).start()
    *name, rate_hz = arguments
    with suppress(PermissionError):  # the user's pipes hold too much already: then 2 s wait
        fcntl.fcntl(1, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    try:
        capture = Capture(name[0] if name else None, int(rate_hz), 1)
        told = {"name": capture.device.name, "rate_hz": capture.rate_hz, "channels": capture.channels}
    except MicrophoneError as error:
        told = {"error": str(error)}
    try:
        os.write(1, json.dumps(told).encode() + b"\n")
    except BrokenPipeError:
        os._exit(0)
    if "error" not in told:
        capture.run()
    os._exit(0)  # closing a stream whose server is gone may hang


if __name__ == "__main__":
    main(sys.argv[1:])

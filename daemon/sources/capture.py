"""The program that holds a microphone open for the daemon: `python -m digitd.daemon.sources.capture`.

PortAudio knows no device that comes later, prints on standard error, and hangs with its audio server. In a process of
its own all that is mended by a kill. It looks for devices, and waits for a line of JSON on its standard input: the
microphone's name, or null for the default one, and the rate. It writes a line of JSON, what it opened or why it could
not, then records: RECORD and the s16le samples. Further lines, true or false, tell whether the daemon rests: then what
is quiet comes in larger pieces. It ends when its standard input closes: with the daemon.
"""

import fcntl
import itertools
import json
import os
import signal
import threading
import time
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

from digitd.daemon.errors import MicrophoneError
from digitd.daemon.sources.devices import Microphone, find, initialise, listed
from digitd.daemon.sources.hush import PIECE_MS, Hush
from digitd.daemon.sources.record import RECORD

CHUNK_MS = 40
"""A network of streams answers once in so long; waking up twice as often costs a quarter more processor time."""
PIPE_BYTES = 256 * 1024
"""8 s wait for a busy daemon at 16 kHz; what comes after is dropped and reported."""


class Capture:
    """A microphone, whose sound is written into a pipe.

    Raises:
        MicrophoneError: PyAudio is not installed.
    """

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._rest = b""  # of a record that did not fit into the pipe
        self._dropped_frames = 0
        self.rests = False
        """Whether the daemon does; set from any thread."""
        self._pyaudio, self._portaudio = initialise()
        self._devices = listed(self._portaudio)

    def open(self, name: str | None, rate_hz: int) -> dict[str, str | int]:
        """What was opened: its name, rate and number of channels.

        Raises:
            MicrophoneError: no such microphone, or it cannot be opened.
        """
        device = find(self._devices, name)
        self._rate_hz, channels = self._format(device, rate_hz)
        self._frame_bytes = 2 * channels
        self._stream = self._opened(device, channels)
        return {"name": device.name, "rate_hz": self._rate_hz, "channels": channels}

    def _format(self, device: Microphone, rate_hz: int) -> tuple[int, int]:
        """(rate, channels): what is asked for where the device has it, else its own."""
        try:
            self._portaudio.is_format_supported(
                rate_hz, input_device=device.device_index, input_channels=1, input_format=self._pyaudio.paInt16
            )
        except ValueError:
            return device.rate_hz, min(2, device.channels)
        return rate_hz, 1

    def _opened(self, device: Microphone, channels: int) -> Any:
        try:
            return self._portaudio.open(
                format=self._pyaudio.paInt16,
                channels=channels,
                rate=self._rate_hz,
                input=True,
                input_device_index=device.device_index,
                frames_per_buffer=self._rate_hz * CHUNK_MS // 1000,
                start=False,
            )
        except OSError as error:
            raise MicrophoneError(
                f"microphone {device.name!r} cannot be opened ({error}); is another program holding it?"
            ) from error

    def run(self) -> None:
        """Capture until PortAudio itself gives the stream up.

        A callback of PortAudio's would do the same, on a thread that becomes one of Python's anew each time.
        """
        os.set_blocking(self._pipe, False)
        self._stream.start_stream()
        hush: Hush | None = None
        held: list[tuple[bytes, float]] = []
        with suppress(OSError):  # its end, or that of the daemon's pipe
            while True:
                hush = (hush or Hush()) if self.rests else None
                n_frames = self._rate_hz * (PIECE_MS if hush else CHUNK_MS) // 1000
                raw = self._stream.read(n_frames, exception_on_overflow=False)
                held.append((raw, time.monotonic()))
                if hush is None or not hush.holds(raw):
                    self._hand_over(held)
                    held = []

    def _hand_over(self, held: list[tuple[bytes, float]]) -> None:
        """Write the chunks, or count them as dropped: never waits."""
        dropped = itertools.chain([self._dropped_frames], itertools.repeat(0))
        records = [RECORD.pack(len(raw), lost, at_s) + raw for (raw, at_s), lost in zip(held, dropped, strict=False)]
        try:
            written = self._flush() and self._write(b"".join(records))
        except BlockingIOError:
            written = False
        self._dropped_frames = (
            0 if written else self._dropped_frames + sum(len(raw) for raw, _ in held) // self._frame_bytes
        )

    def _flush(self) -> bool:
        """Whether nothing is left of the last record."""
        if self._rest:
            self._rest = self._rest[os.write(self._pipe, self._rest) :]
        return not self._rest

    def _write(self, record: bytes) -> bool:
        self._rest = record[os.write(self._pipe, record) :]
        return True


def _listen(requests: SimpleQueue[dict[str, Any]], captures: list[Capture]) -> None:
    """Hear what the daemon asks for, then whether it rests, and end with it."""
    with open(0, "rb") as daemon:
        for line in daemon:
            told = json.loads(line)
            if isinstance(told, dict):
                requests.put(told)
            for capture in captures:
                capture.rests = told is True
    os._exit(0)  # PortAudio may hang; nothing is to be saved


def main() -> None:
    """Load, open, tell, write."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the daemon's; it closes this process in order
    requests: SimpleQueue[dict[str, Any]] = SimpleQueue()
    captures: list[Capture] = []  # once it is there: until then PortAudio may hang, and the daemon end
    threading.Thread(target=_listen, args=(requests, captures), daemon=True).start()
    with suppress(PermissionError):  # the user's pipes hold too much already: then 2 s wait
        fcntl.fcntl(1, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    try:
        captures.append(Capture(1))
        told = captures[0].open(**requests.get())
    except MicrophoneError as error:
        told = {"error": str(error)}
    try:
        os.write(1, json.dumps(told).encode() + b"\n")
    except BrokenPipeError:
        os._exit(0)
    if "error" not in told:
        captures[0].run()
    os._exit(0)  # closing a stream whose server is gone may hang


if __name__ == "__main__":
    main()

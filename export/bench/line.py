"""One stream over a daemon's audio socket: speech goes out piece by piece, each event tells how late it came back."""

import json
import socket
import time
from pathlib import Path

from digitd.export.bench.takes import RATE_HZ

PIECE_S = 0.04
PIECE_BYTES = 2 * round(PIECE_S * RATE_HZ)
READ_BYTES = 65536


class Line:
    """Never waits.

    Args:
        path: of the socket.
        name: of the stream.
        speech: s16le at RATE_HZ, whole pieces, which is sent over and over.
        offset: the piece that it begins at: no two streams say the same at a time.
    """

    def __init__(self, path: Path, name: str, speech: bytes, offset: int) -> None:
        self._speech, self._offset = speech, offset
        self._sent_s: list[float] = []  # when each piece was
        self._rest = b""
        self.accepted = False
        self.refusal = ""
        """Why it is not heard."""
        self.jammed = False
        """Whether the daemon took a piece not at once: its buffers are full, it falls behind."""
        self.delays_s: list[float] = []
        """Of events since they were last taken away: from the last sample that was needed to the line."""
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.socket.sendall(json.dumps({"stream": name}).encode() + b"\n")
        self.socket.settimeout(0)

    def send(self) -> None:
        """The next piece, once it is accepted."""
        if not self.accepted or self.jammed:
            return
        begin = (self._offset + len(self._sent_s)) * PIECE_BYTES % len(self._speech)
        self._sent_s.append(time.perf_counter())
        try:
            self.jammed = self.socket.send(self._speech[begin : begin + PIECE_BYTES]) < PIECE_BYTES
        except BlockingIOError:
            self.jammed = True

    def receive(self) -> bool:
        """Take in what has come; False at the end."""
        try:
            came, at_s = self.socket.recv(READ_BYTES), time.perf_counter()
        except ConnectionResetError:
            return False
        *lines, self._rest = (self._rest + came).split(b"\n")
        for line in lines:
            self._note(json.loads(line), at_s)
        return bool(came)

    def _note(self, told: dict[str, object], at_s: float) -> None:
        if told["type"] == "accepted":
            self.accepted = True
        elif told["type"] == "refused":
            self.refusal = str(told["reason"])
        elif isinstance(emitted_s := told.get("emitted_s"), float | int) and self._sent_s:
            piece = min(round(emitted_s * RATE_HZ) * 2 - 1, len(self._sent_s) * PIECE_BYTES - 1) // PIECE_BYTES
            self.delays_s.append(at_s - self._sent_s[piece])

    def close(self) -> None:
        """Leave."""
        self.socket.close()

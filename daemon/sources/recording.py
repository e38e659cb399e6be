"""A WAV or FLAC file."""

from collections.abc import Iterator
from pathlib import Path
from threading import Event

import soundfile

from digitd.daemon.audio import Block
from digitd.daemon.errors import AudioError

BLOCK_S = 1.0
_UNKNOWN_RIFF_SIZES = (0, 0xFFFFFFFF)  # what programs that write into a pipe put there


class RecordingSource:
    """A file, read block by block.

    Raises:
        AudioError: it is missing, empty, truncated, or no audio.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self._path = path
        _check_size(path)
        try:
            self._file = soundfile.SoundFile(path)
        except soundfile.LibsndfileError as error:
            raise AudioError(f"{path}: no WAV or FLAC file ({error.error_string})") from error
        self.rate_hz: int = self._file.samplerate
        self._check_frames()

    def blocks(self, stop: Event) -> Iterator[Block]:
        """Blocks of BLOCK_S, the last one shorter."""
        left = self._file.frames
        while left and not stop.is_set():
            try:
                frames = self._file.read(int(self.rate_hz * BLOCK_S), dtype="float32", always_2d=True)
            except soundfile.LibsndfileError as error:
                raise AudioError(f"{self._path}: damaged ({error.error_string}); record it again") from error
            if not len(frames):
                raise AudioError(f"{self._path}: ends {left} frames early; record or copy it again")
            left -= len(frames)
            yield Block(frames)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _check_frames(self) -> None:
        """That there is a first and a last frame: libsndfile finds a truncated FLAC file only where it ends."""
        if not self._file.frames:
            raise AudioError(f"{self._path}: holds no samples; record it again")
        try:
            self._file.seek(self._file.frames - 1)
            whole = len(self._file.read(1)) == 1
            self._file.seek(0)
        except soundfile.LibsndfileError:
            whole = False
        if not whole:
            raise AudioError(f"{self._path}: truncated before its {self._file.frames} frames; copy it again")


def _check_size(path: Path) -> None:
    """Refuse what libsndfile would take in silence: a RIFF header that promises more than the file holds."""
    try:
        if path.is_fifo():
            raise AudioError(f"{path}: is a pipe; send raw s16le samples to --source - instead")
        size = path.stat().st_size
        with path.open("rb") as file:
            header = file.read(8)
    except OSError as error:
        raise AudioError(f"{path}: cannot be read ({error.strerror}); name a WAV or FLAC file") from error
    if not size:
        raise AudioError(f"{path}: is empty (0 bytes); record it again")
    if header[:4] == b"RIFF" and len(header) == 8:
        promised = int.from_bytes(header[4:], "little")
        if promised not in _UNKNOWN_RIFF_SIZES and promised + 8 > size:
            raise AudioError(f"{path}: truncated: {size} of {promised + 8} bytes are there; copy it again")

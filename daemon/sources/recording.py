"""A WAV or FLAC file."""

import os
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import BinaryIO

import soundfile

from digitd.daemon.audio import Block
from digitd.daemon.errors import AudioError
from digitd.daemon.sources.source import POLL_S

BLOCK_S = 1.0
FORMATS = ("WAV", "WAVEX", "FLAC")
_UNKNOWN_SIZES = (0, 0xFFFFFFFF)  # what programs that write a WAV file into a pipe put into its header
_UNKNOWN_FRAMES = 2**62  # what libsndfile says of a FLAC file that was written into a pipe


class RecordingSource:
    """A file, read block by block.

    Raises:
        AudioError: it is missing, empty, truncated, or no audio.
    """

    live = False
    waiting_s = 0.0
    patience_s = POLL_S
    rests = False

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self._path = path
        _check_size(path)
        try:
            self._file = soundfile.SoundFile(os.fsencode(path))  # as bytes: the name may be no UTF-8
        except soundfile.LibsndfileError as error:
            raise AudioError(f"{path}: no WAV or FLAC file ({error.error_string})") from error
        if self._file.format not in FORMATS:
            raise AudioError(f"{path}: is {self._file.format}, no WAV or FLAC file; convert it")
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
        if self._file.frames >= _UNKNOWN_FRAMES:
            raise AudioError(f"{self._path}: does not tell its length; encode it again, not into a pipe")
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
    """Refuse what libsndfile would take in silence: a header that promises more than the file holds."""
    try:
        if path.is_fifo():
            raise AudioError(f"{path}: is a pipe; send raw s16le samples to --source - instead")
        size = path.stat().st_size
        with path.open("rb") as file:
            promised = _promised_size(file)
    except OSError as error:
        raise AudioError(f"{path}: cannot be read ({error.strerror}); name a WAV or FLAC file") from error
    except ValueError as error:
        raise AudioError(f"{str(path)!r}: is no path ({error}); name a WAV or FLAC file") from error
    if not size:
        raise AudioError(f"{path}: is empty (0 bytes); record it again")
    if promised > size:
        raise AudioError(f"{path}: truncated: {size} of {promised} bytes are there; copy it again")


def _promised_size(file: BinaryIO) -> int:
    """Where the header of a RIFF file says that the file or its last chunk ends; 0 where it does not say."""
    head = file.read(12)
    if head[:4] != b"RIFF" or len(head) < 12:
        return 0
    promised = 0 if (riff := int.from_bytes(head[4:8], "little")) in _UNKNOWN_SIZES else riff + 8
    while len(chunk := file.read(8)) == 8:
        length = int.from_bytes(chunk[4:], "little")
        if length in _UNKNOWN_SIZES and chunk[:4] == b"data":
            break
        promised = max(promised, file.tell() + length)
        file.seek(length + length % 2, os.SEEK_CUR)  # chunks are padded to even lengths
    return promised

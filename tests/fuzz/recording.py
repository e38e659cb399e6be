"""A WAV or FLAC file."""

import io
import tempfile
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import numpy as np
import soundfile
from tests.fuzz.target import ROOT, Target

from digitd.daemon.audio import Intake
from digitd.daemon.errors import AudioError
from digitd.daemon.front_end import FrontEnd
from digitd.daemon.segmenter import SegmenterConfig
from digitd.daemon.sources.recording import FORMATS, RecordingSource
from digitd.daemon.stream_features import MelStream, StreamSpec

FILE = Path(tempfile.mkdtemp(prefix="digitd-fuzz-")) / "x"
RATE_HZ = 16000
MOST_BLOCKS = 20
"""A few bytes of FLAC may be hours of silence."""
WORD = slice(8000, 9600)
"""A tenth of a second of the demo's first word."""


def run(data: bytes) -> None:
    """It is heard from its first to its last frame, or is refused; either way it is closed."""
    FILE.write_bytes(data)
    before = descriptors()
    try:
        heard_to_the_end()
    except AudioError as error:
        told = str(error)
        assert told.isprintable()
    assert descriptors() == before


def descriptors() -> int:
    """How many are open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def heard_to_the_end() -> None:
    """Everything before the network, which hears only what is in range."""
    source, stop = RecordingSource(FILE), Event()
    intake, front_end, mel = None, FrontEnd(RATE_HZ, SegmenterConfig()), MelStream(StreamSpec())
    try:
        intake = Intake(source.rate_hz, RATE_HZ)
        for n, block in enumerate(source.blocks(stop)):
            assert block.frames.dtype == np.float32
            for chunk in intake.push(block):
                assert np.isfinite(mel.push(chunk.samples)).all()
                for utterance in front_end.push(chunk):
                    assert utterance.start_sample < utterance.end_sample
            if n == MOST_BLOCKS:
                stop.set()
    finally:
        source.close()


def seeds() -> Iterator[bytes]:
    """The same tenth of a second in every encoding that libsndfile has for WAV and FLAC, mono and stereo."""
    demo, rate_hz = soundfile.read(ROOT / "tests/data/demo.flac", dtype="float32")
    yield (ROOT / "tests/data/demo.flac").read_bytes()[:4096]
    for form in FORMATS:
        for subtype in soundfile.available_subtypes(form):
            for word in (demo[WORD], np.stack([demo[WORD], -demo[WORD]], axis=1)):
                if not soundfile.check_format(form, subtype):
                    continue
                file = io.BytesIO()
                try:
                    soundfile.write(file, word, rate_hz, subtype, format=form)
                except soundfile.LibsndfileError:  # an encoding for one channel
                    continue
                yield file.getvalue()


TARGET = Target(
    run=run,
    seeds=seeds,
    words=(
        b"RIFF",
        b"RIFX",
        b"RF64",
        b"WAVE",
        b"fmt ",
        b"data",
        b"fact",
        b"LIST",
        b"PEAK",
        b"fLaC",
        b"\xff\xff\xff\xff",
        b"\0\0\0\x80",
        b"\xff\xff\xff\x7f",
        b"\xff\xf8",
    ),
    longest_bytes=16384,
)

"""Files and pipes: what is damaged is refused in one clear line."""

import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from digitd.daemon.audio import Samples
from digitd.daemon.errors import AudioError, MicrophoneError
from digitd.daemon.sources.devices import Microphone, find
from digitd.daemon.sources.paced import PacedSource
from digitd.daemon.sources.pipe import PipeSource
from digitd.daemon.sources.recording import RecordingSource

RUN = threading.Event()


def frames(source: PipeSource | RecordingSource | PacedSource) -> Samples:
    read = np.concatenate([block.frames for block in source.blocks(RUN)])
    source.close()
    return read


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
def test_a_file_is_read_as_it_is(tmp_path: Path, suffix: str, subtype: str) -> None:
    samples = np.random.default_rng(0).uniform(-1, 1, (30000, 2)).astype(np.float32)
    path = tmp_path / f"x{suffix}"
    soundfile.write(path, samples, 22050, subtype)
    source = RecordingSource(path)
    assert (source.name, source.rate_hz) == (path.name, 22050)
    np.testing.assert_allclose(frames(source), samples, atol=1e-4)


def written(path: Path) -> Path:
    soundfile.write(path, np.random.default_rng(0).uniform(-1, 1, 16000), 16000)
    return path


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
@pytest.mark.parametrize("kept", [0.02, 0.3, 0.9, 0.999])
def test_a_truncated_file_is_refused(tmp_path: Path, suffix: str, kept: float) -> None:
    path = written(tmp_path / f"x{suffix}")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(AudioError, match=f"x{suffix}: "):
        frames(RecordingSource(path))


def test_a_wav_file_of_unknown_length_is_read(tmp_path: Path) -> None:
    path = written(tmp_path / "x.wav")
    content = bytearray(path.read_bytes())
    content[4:8] = content[40:44] = b"\xff\xff\xff\xff"  # as programs that write into a pipe leave it
    path.write_bytes(content)
    assert len(frames(RecordingSource(path))) == 16000


@pytest.mark.parametrize("riff_size", [0, 0xFFFFFFFF, 36 + 16000])
def test_a_wav_file_whose_samples_are_cut_is_refused_whatever_its_riff_size(tmp_path: Path, riff_size: int) -> None:
    path = written(tmp_path / "x.wav")
    content = bytearray(path.read_bytes()[: 44 + 16000])
    content[4:8] = riff_size.to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(AudioError, match="truncated: 16044 of 32044 bytes"):
        RecordingSource(path)


def test_a_flac_file_of_unknown_length_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "x.flac")
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0  # the 36 bits of STREAMINFO that tell the number of samples, empty as encoders
    content[22:26] = bytes(4)  # that write into a pipe leave them
    path.write_bytes(content)
    with pytest.raises(AudioError, match="does not tell its length"):
        RecordingSource(path)


@pytest.mark.parametrize("kind", ["AIFF", "OGG", "W64"])
def test_other_formats_are_refused(tmp_path: Path, kind: str) -> None:
    soundfile.write(tmp_path / "x", np.zeros(16000), 16000, format=kind)
    with pytest.raises(AudioError, match=f"is {kind}, no WAV or FLAC file"):
        RecordingSource(tmp_path / "x")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "cannot be read"),
        (b"", "is empty"),
        (b"zero one two three\n" * 20, "no WAV or FLAC file"),
        (b"RIFF", "no WAV or FLAC file"),
    ],
)
def test_what_is_no_recording_is_refused(tmp_path: Path, content: bytes | None, problem: str) -> None:
    path = tmp_path / "x.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(AudioError, match=problem):
        RecordingSource(path)


def test_a_named_pipe_is_no_recording(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(AudioError, match="is a pipe"):
        RecordingSource(tmp_path / "pipe")


def test_a_recording_without_samples_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.wav", np.zeros(0), 16000)
    with pytest.raises(AudioError, match="holds no samples"):
        RecordingSource(tmp_path / "x.wav")


def test_a_header_with_a_rate_of_zero_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "x.wav")
    content = bytearray(path.read_bytes())
    content[24:28] = bytes(4)
    path.write_bytes(content)
    with pytest.raises(AudioError, match="no WAV or FLAC file"):
        RecordingSource(path)


def piped(writes: list[bytes], channels: int = 1) -> PipeSource:
    reading, writing = os.pipe()

    def write() -> None:
        for piece in writes:
            os.write(writing, piece)
            time.sleep(0.002)
        os.close(writing)

    threading.Thread(target=write).start()
    return PipeSource(16000, channels, reading)


@pytest.mark.parametrize("size", [1, 3, 1000, 8000])
def test_a_pipe_of_any_write_size(size: int) -> None:
    raw = np.arange(-500, 500, dtype="<i2").tobytes()
    source = piped([raw[n : n + size] for n in range(0, len(raw), size)])
    np.testing.assert_array_equal(frames(source)[:, 0], np.arange(-500, 500, dtype=np.float32) / 32768)


@pytest.mark.parametrize(("n_bytes", "channels"), [(1, 1), (1001, 1), (1002, 2)])
def test_a_pipe_that_ends_within_a_frame_is_refused(n_bytes: int, channels: int) -> None:
    with pytest.raises(AudioError, match="bytes into a frame"):
        list(piped([bytes(n_bytes)], channels).blocks(RUN))


def test_a_silent_pipe_stops_when_it_is_told_to() -> None:
    reading, writing = os.pipe()
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    assert not any(len(block.frames) for block in PipeSource(16000, 1, reading).blocks(stop))
    os.close(writing)


def test_pace_is_real_time(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    soundfile.write(path, np.zeros(8000), 16000)
    began_s = time.monotonic()
    blocks = [block.frames for block in PacedSource(RecordingSource(path)).blocks(RUN)]
    assert time.monotonic() - began_s >= 0.5
    assert sum(map(len, blocks)) == 8000
    assert all(len(block) % 320 == 0 for block in blocks)


MICROPHONES = [
    Microphone("HDA Intel PCH: ALC257 Analog", 0, 2, 44100, default=False),
    Microphone("USB Audio: -", 4, 1, 48000, default=True),
    Microphone("USB Audio: - #2", 5, 1, 48000, default=False),
]


def test_a_microphone_is_found_by_name_or_default() -> None:
    assert find(MICROPHONES, None).device_index == 4
    assert find(MICROPHONES, "USB Audio: - #2").device_index == 5


@pytest.mark.parametrize("devices", [MICROPHONES, []])
@pytest.mark.parametrize("name", ["USB", None])
def test_an_unknown_microphone_lists_those_that_exist(devices: list[Microphone], name: str | None) -> None:
    missing = [Microphone(d.name, d.device_index, d.channels, d.rate_hz, default=False) for d in devices]
    with pytest.raises(MicrophoneError) as caught:
        find(missing, name)
    for device in devices:
        assert repr(device.name) in str(caught.value)
    assert bool(devices) != ("there is none at all" in str(caught.value))

"""Many recordings, some of them broken, as a user writes them down."""

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from tests.conftest import DEMO, DEMO_DIGITS

from digitd.daemon.config import DaemonConfig
from digitd.daemon.transcribe import transcripts

Digitd = Callable[..., subprocess.CompletedProcess[Any]]


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """The demo, a broken file, silence and the demo at another rate, in two channels."""
    broken, silent, other = tmp_path / "broken.wav", tmp_path / "silent.flac", tmp_path / "other, one.wav"
    broken.write_bytes(b"RIFF....")
    soundfile.write(silent, np.zeros(16000, np.float32), 16000)
    samples, rate_hz = soundfile.read(DEMO, dtype="float32")
    soundfile.write(other, np.repeat(samples[:, np.newaxis], 3, axis=0).repeat(2, axis=1), 3 * rate_hz)
    return [DEMO, broken, silent, other]


def test_one_broken_file_does_not_stop_the_others(digitd: Digitd, files: list[Path]) -> None:
    done = digitd("transcribe", *files)
    assert done.returncode == 1
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [(row[0], row[3]) for row in rows] == [(str(files[0]), DEMO_DIGITS), (str(files[3]), DEMO_DIGITS)]
    assert all(0 < float(row[1]) < float(row[2]) < 10 for row in rows)
    *problems, count = done.stderr.splitlines()
    assert len(problems) == 1
    assert problems[0].startswith(f"digitd: error: {files[1]}: ")
    assert count == "digitd: 1 of 4 recordings are broken"


def test_json_lines_tell_of_every_recording(digitd: Digitd, files: list[Path]) -> None:
    lines = [json.loads(line) for line in digitd("transcribe", "--format", "jsonl", *files).stdout.splitlines()]
    assert [line["file"] for line in lines] == list(map(str, files))
    assert [[s["digits"] for s in line.get("strings", [])] for line in lines] == [[DEMO_DIGITS], [], [], [DEMO_DIGITS]]
    assert [("error" in line, "length_s" in line) for line in lines] == [(False, True), (True, False)] + [
        (False, True)
    ] * 2
    assert lines[2]["length_s"] == 1.0


def test_csv_goes_whole_into_a_file(digitd: Digitd, files: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "strings.csv"
    done = digitd("transcribe", "--format", "csv", "--out", out, "--processes", "1", files[0], files[3])
    assert (done.returncode, done.stdout) == (0, "")
    table = list(csv.DictReader(io.StringIO(out.read_text())))
    assert [(row["file"], row["digits"], row["legal"]) for row in table] == [
        (str(path), DEMO_DIGITS, "true") for path in (files[0], files[3])
    ]
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_any_number_of_processes_gives_the_same(files: list[Path]) -> None:
    many = list(map(str, files * 5))
    assert list(transcripts(many, DaemonConfig(), 1)) == list(transcripts(many, DaemonConfig(), 2))


def test_a_format_is_heeded(digitd: Digitd, tmp_path: Path) -> None:
    config = tmp_path / "digitd.toml"
    config.write_text("[string.format]\nlengths = [6]\n")
    (line,) = digitd("transcribe", "--format", "jsonl", "--config", config, DEMO).stdout.splitlines()
    (string,) = json.loads(line)["strings"]
    assert (len(string["digits"]), string["heard"]) == (6, DEMO_DIGITS)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--processes", "0"], "--processes 0 must be at least 1"),
        (["--model", "nobody"], "no bundle 'nobody'"),
        (["--out", "/nowhere/at/all.csv"], "/nowhere/at/all.csv: cannot be written"),
    ],
)
def test_what_cannot_be_is_one_line(digitd: Digitd, arguments: list[str], told: str) -> None:
    done = digitd("transcribe", *arguments, DEMO)
    assert done.returncode == 2
    assert told in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_reader_that_leaves_ends_it() -> None:
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m digitd transcribe {DEMO} {DEMO} {DEMO} | head -n 1"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stderr == ""

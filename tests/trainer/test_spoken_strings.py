"""Digits cut out of spoken strings."""

import subprocess
from pathlib import Path

import pytest
import soundfile

from digitd.daemon.errors import CorpusError
from digitd.trainer.corpora import spoken_strings

pytestmark = pytest.mark.train


@pytest.fixture
def strings(tmp_path: Path) -> Path:
    """A manifest with one string, one utterance of other words and one of another kind."""
    rows = [("strings", "one five oh seven"), ("mixed", "enter nine please"), ("speech", "hello there")]
    lines = ["path\tkind\tcorpus\tspeaker\tlabel\ttext"]
    for number, (kind, text) in enumerate(rows):
        path = tmp_path / f"{number}.wav"
        subprocess.run(["flite", "-voice", "rms", "-t", text, "-o", str(path)], check=True)
        lines.append(f"{path.name}\t{kind}\tan4\tspeaker-{number}\t\t{text}")
    (tmp_path / "manifest.tsv").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_each_digit_becomes_a_recording(strings: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DIGITD_CACHE", str(tmp_path / "cache"))
    found = spoken_strings.read(strings)
    assert [(r.label, r.speaker) for r in found] == [
        ("1", "speaker-0"),
        ("5", "speaker-0"),
        ("0", "speaker-0"),
        ("7", "speaker-0"),
        ("9", "speaker-1"),
    ]
    assert all(0.1 < soundfile.info(r.path).duration < 1.0 for r in found)
    before = {r.path: r.path.stat().st_mtime_ns for r in found}
    assert {r.path: r.path.stat().st_mtime_ns for r in spoken_strings.read(strings)} == before  # cut once


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"manifest\.tsv: cannot be read"):
        spoken_strings.read(tmp_path)

"""Spoken strings, whole and cut into digits."""

import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
import soundfile

from digitd.daemon.errors import CorpusError
from digitd.trainer.corpora import said, spoken_strings

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
    read = spoken_strings.read(strings)
    found = [r for r in read if r.kind == "word"]
    assert [(r.label, r.speaker) for r in found] == [
        ("1", "speaker-0"),
        ("5", "speaker-0"),
        ("0", "speaker-0"),
        ("7", "speaker-0"),
        ("9", "speaker-1"),
    ]
    assert all(0.1 < soundfile.info(r.path).duration < 1.0 for r in found)
    before = {r.path: r.path.stat().st_mtime_ns for r in found}
    assert {
        r.path: r.path.stat().st_mtime_ns for r in spoken_strings.read(strings) if r.kind == "word"
    } == before  # cut once


def test_the_words_of_a_string_are_found_where_they_are(
    strings: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DIGITD_CACHE", str(tmp_path / "cache"))
    whole = [r for r in spoken_strings.read(strings) if r.kind == "string"]
    assert [(r.label, r.speaker) for r in whole] == [
        ("one five oh seven", "speaker-0"),
        ("enter nine please", "speaker-1"),
    ]
    (first, second) = (said.read(r.path) for r in whole)
    assert [word.label for word in first] == ["1", "5", "0", "7"]
    assert [word.label for word in second] == ["enter", "9", "please"]
    for words, recording in ((first, whole[0]), (second, whole[1])):
        assert all(0 < word.start_s < word.end_s < soundfile.info(recording.path).duration for word in words)
        assert all(b.start_s >= a.end_s - 0.02 for a, b in pairwise(words))


def test_a_text_that_was_not_said_gives_nothing(strings: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DIGITD_CACHE", str(tmp_path / "cache"))
    text = (strings / "manifest.tsv").read_text().replace("one five oh seven", "xqzt five")
    (strings / "manifest.tsv").write_text(text)
    assert {r.speaker for r in spoken_strings.read(strings)} == {"speaker-1"}


def test_a_damaged_table_of_words_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.words.tsv").write_text("0.1\tfive\n")
    with pytest.raises(CorpusError, match=r"a\.words\.tsv: is no table of words"):
        said.read(tmp_path / "a.flac")


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"manifest\.tsv: cannot be read"):
        spoken_strings.read(tmp_path)

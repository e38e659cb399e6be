"""No recording is heard twice the same way, and none is mistaken for another."""

import dataclasses
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from digitd.daemon.errors import AudioError, TrainingError
from digitd.daemon.features import MelSpec
from digitd.trainer import corpora
from digitd.trainer.corpora.recording import Recording
from digitd.trainer.examples import Ear, Examples, hear
from digitd.trainer.feature_cache import FeatureCache
from digitd.trainer.room import RoomConfig

LABELS = tuple("0123456789")
EAR = Ear(MelSpec(n_mels=16, n_frames=16), RoomConfig(), 1)


@pytest.fixture
def corpus(tmp_path: Path, spoken_digits: Path) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    for name in ("1_slt_0.wav", "2_slt_0.wav"):
        shutil.copy(spoken_digits / "recordings" / name, folder)
    return folder


def two(corpus: Path) -> list[Recording]:
    return corpora.read("fsdd", corpus)


def heard(folder: Path, recordings: list[Recording], ear: Ear = EAR, labels: tuple[str, ...] = LABELS) -> Examples:
    return FeatureCache(folder).hear(recordings, labels, ear, 1, "test")


def entries(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_comes_from_disk_is_what_was_heard(tmp_path: Path, corpus: Path) -> None:
    wanted = hear(two(corpus), LABELS, EAR, 1, "test")
    for _ in range(2):
        found = heard(tmp_path / "cache", two(corpus))
        for name, values in vars(wanted).items():
            np.testing.assert_array_equal(getattr(found, name), values)
    assert len(entries(tmp_path / "cache")) == 1


def test_a_change_of_anything_that_is_heard_is_another_entry(tmp_path: Path, corpus: Path) -> None:
    cache, recordings = tmp_path / "cache", two(corpus)
    heard(cache, recordings)
    heard(cache, recordings, Ear(MelSpec(n_mels=16, n_frames=17), RoomConfig(), 1))
    heard(cache, recordings, Ear(MelSpec(n_mels=16, n_frames=16), RoomConfig(lead_s=0.4), 1))
    heard(cache, recordings, Ear(MelSpec(n_mels=16, n_frames=16), RoomConfig(), 2))
    heard(cache, recordings, labels=tuple("9876543210"))
    heard(cache, recordings[:1])
    heard(cache, [dataclasses.replace(recordings[0], label="2"), recordings[1]])
    assert len(entries(cache)) == 7
    shutil.copy(recordings[1].path, recordings[0].path)  # the same name, another sound
    changed = heard(cache, recordings)
    assert len(entries(cache)) == 8
    assert np.abs(changed.features[0] - hear(recordings[:1], LABELS, EAR, 1, "test").features[0]).max() == 0


def test_a_folder_elsewhere_is_the_same_corpus(tmp_path: Path, corpus: Path) -> None:
    heard(tmp_path / "cache", two(corpus))
    shutil.move(corpus, tmp_path / "moved")
    heard(tmp_path / "cache", two(tmp_path / "moved"))
    assert len(entries(tmp_path / "cache")) == 1


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 half", None])
def test_a_damaged_entry_is_heard_anew(tmp_path: Path, corpus: Path, damage: bytes | None) -> None:
    wanted = heard(tmp_path / "cache", two(corpus))
    (entry,) = (tmp_path / "cache").iterdir()
    whole = entry.read_bytes()
    entry.write_bytes(whole[: len(whole) // 2] if damage is None else damage)
    np.testing.assert_array_equal(heard(tmp_path / "cache", two(corpus)).features, wanted.features)
    assert entry.stat().st_size == len(whole)


def test_what_cannot_be_heard_is_told_and_leaves_no_entry(tmp_path: Path, corpus: Path) -> None:
    recordings = two(corpus)
    recordings[1].path.write_bytes(b"RIFF")
    with pytest.raises(AudioError, match=r"2_slt_0.wav: no WAV or FLAC file"):
        heard(tmp_path / "cache", recordings)
    assert not (tmp_path / "cache").exists()


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path, corpus: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(
        TrainingError, match=r"cannot be kept .*; free the disk, or name another folder in \$DIGITD_CAC"
    ):
        heard(tmp_path / "cache", two(corpus))


def test_a_full_disk_leaves_no_half_entry(tmp_path: Path, corpus: Path) -> None:
    program = f"""
from pathlib import Path
from tests.trainer.test_feature_cache import *
try:
    heard(Path({str(tmp_path / "cache")!r}), two(Path({str(corpus)!r})))
except TrainingError as error:
    print(error)
"""
    limited = f"ulimit -f 1; exec {sys.executable} -c '{program.replace(chr(39), chr(34))}'"
    done = subprocess.run(["bash", "-c", limited], capture_output=True, text=True, timeout=60, check=True)
    assert "File too large" in done.stdout
    assert entries(tmp_path / "cache") == {}

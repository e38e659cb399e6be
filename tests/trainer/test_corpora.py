"""Every published layout is read to the same value type; what does not fit is named."""

import json
from pathlib import Path

import pytest

from digitd.daemon.errors import CorpusError
from digitd.trainer import corpora
from digitd.trainer.corpora.recording import Recording


def touched(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


@pytest.fixture
def audiomnist(tmp_path: Path) -> Path:
    touched(tmp_path, "data/01/0_01_0.wav", "data/01/9_01_49.wav", "data/60/3_60_7.wav")
    meta = {number: {"accent": "German", "age": "30", "gender": "male"} for number in ("01", "60")}
    (tmp_path / "data/audioMNIST_meta.txt").write_text(json.dumps(meta))
    return tmp_path


def test_audiomnist(audiomnist: Path) -> None:
    wanted = [
        Recording(audiomnist / "data/01/0_01_0.wav", "0", "audiomnist-01", "audiomnist"),
        Recording(audiomnist / "data/01/9_01_49.wav", "9", "audiomnist-01", "audiomnist"),
        Recording(audiomnist / "data/60/3_60_7.wav", "3", "audiomnist-60", "audiomnist"),
    ]
    assert corpora.read("audiomnist", audiomnist) == wanted
    assert corpora.read("audiomnist", audiomnist / "data") == wanted


@pytest.mark.parametrize("name", ["data/01/0_02_0.wav", "data/01/zero.wav", "data/02/0_02_0.wav"])
def test_an_audiomnist_file_that_does_not_fit_is_named(audiomnist: Path, name: str) -> None:
    touched(audiomnist, name)
    with pytest.raises(CorpusError, match=name):
        corpora.read("audiomnist", audiomnist)


def test_audiomnist_without_its_metadata_is_refused(audiomnist: Path) -> None:
    (audiomnist / "data/audioMNIST_meta.txt").unlink()
    with pytest.raises(CorpusError, match="no speaker metadata"):
        corpora.read("audiomnist", audiomnist)


def test_fsdd(tmp_path: Path) -> None:
    touched(tmp_path, "recordings/7_jackson_32.wav", "metadata.py")
    path = tmp_path / "recordings/7_jackson_32.wav"
    assert corpora.read("fsdd", tmp_path) == [Recording(path, "7", "fsdd-jackson", "fsdd")]


def test_speech_commands(tmp_path: Path) -> None:
    touched(tmp_path, "seven/0a7c2a8d_nohash_1.wav", "bed/0a7c2a8d_nohash_0.wav", "_background_noise_/pink.wav")
    assert [(r.label, r.speaker) for r in corpora.read("speech-commands", tmp_path)] == [
        ("bed", "gsc-0a7c2a8d"),
        ("7", "gsc-0a7c2a8d"),
    ]


def test_ones_own_folders_take_any_label(tmp_path: Path) -> None:
    touched(tmp_path, "fünf/anna_schmidt_01.wav", "null/ben_7.FLAC", "null/notes.txt")
    assert [(r.label, r.speaker, r.corpus) for r in corpora.read("folders", tmp_path)] == [
        ("fünf", "anna_schmidt", tmp_path.name),
        ("null", "ben", tmp_path.name),
    ]
    touched(tmp_path, "null/7.wav")
    with pytest.raises(CorpusError, match=r"null/7.wav: its name does not tell who spoke; call it SPEAKER_TAKE.wav"):
        corpora.read("folders", tmp_path)


HEADER = "path\tkind\tcorpus\tspeaker\tlabel\ttext\tsample_rate_hz\tseconds\tlicence\n"


def test_a_manifest_tells_what_each_recording_holds_and_leaves_strings_out(tmp_path: Path) -> None:
    touched(tmp_path, "a.flac", "b.flac", "c.flac", "d.flac", "e.flac")
    (tmp_path / "manifest.tsv").write_text(
        f"{HEADER}a.flac\tdigits\tx\tx-1\t3\t\t8000\t0.4\tMIT\nb.flac\tother-words\tx\tx-2\ttree\t\t8000\t0.4\tMIT\n"
        "c.flac\tspeech\tx\tx-3\t\tsome words\t8000\t2\tMIT\n"
        "d.flac\tnoise\tx\t\train\t\t8000\t2\tMIT\n"
        "e.flac\tstrings\tx\tx-3\t12\tone two\t8000\t2\tMIT\n"
    )
    assert corpora.read("manifest", tmp_path) == [
        Recording(tmp_path / "a.flac", "3", "x-1", "x"),
        Recording(tmp_path / "b.flac", "tree", "x-2", "x"),
        Recording(tmp_path / "c.flac", "some words", "x-3", "x", "speech"),
        Recording(tmp_path / "d.flac", "rain", "noise-d", "x", "noise"),
    ]


@pytest.mark.parametrize(
    ("manifest", "problem"),
    [
        (None, "manifest.tsv: cannot be read"),
        ("path\tkind\na.flac\tdigits\n", "lacks the column"),
        (f"{HEADER}gone.flac\tdigits\tx\tx-1\t3\t\t8000\t0.4\tMIT\n", r"manifest.tsv:2: gone.flac is not there"),
        (HEADER, "holds no recordings"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(tmp_path: Path, manifest: str | None, problem: str) -> None:
    if manifest is not None:
        (tmp_path / "manifest.tsv").write_text(manifest)
    with pytest.raises(CorpusError, match=problem):
        corpora.read("manifest", tmp_path)


@pytest.mark.parametrize("reader", ["fsdd", "speech-commands"])
def test_a_folder_without_recordings_is_refused(tmp_path: Path, reader: str) -> None:
    with pytest.raises(CorpusError, match="holds no recordings"):
        corpora.read(reader, tmp_path)
    with pytest.raises(CorpusError, match="no such folder"):
        corpora.read(reader, tmp_path / "none")


def test_an_unknown_reader_is_refused() -> None:
    with pytest.raises(CorpusError, match="no corpus reader 'audiomnst'; did you mean 'audiomnist'"):
        corpora.read("audiomnst", Path())


@pytest.mark.corpora
def test_the_shared_corpora_are_read(corpora: Path) -> None:
    from digitd.trainer.corpora import read

    found = read("manifest", corpora)
    digits = [recording for recording in found if recording.label in "0123456789"]
    assert len({recording.speaker for recording in digits}) > 50
    assert len(digits) > 3000

"""A described corpus is spoken once, the same each time, and never half; what cannot be spoken is named."""

import itertools
import logging
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from digitd.daemon.errors import ConfigError, CorpusError
from digitd.daemon.settings import read as read_settings
from digitd.trainer import corpora
from digitd.trainer.corpora import said, string_texts, synthetic, voices
from digitd.trainer.corpora.recording import DIGIT_WORDS, Recording, digit_or_word

VOICES = """espeak_accents = ["en-us", "en-gb"]
espeak_variants = ["f3", "Mr serious"]
flite_share = 0.5
"""
WORDS = """[[words]]
texts = ["seven", "tree"]
n_voices_per_text = 6
"""
OH = '[[words]]\ntexts = ["oh"]\nlabel = "0"\nn_voices_per_text = 2\n'
SPEECH = '[[words]]\ntexts = ["good morning"]\nkind = "speech"\nn_voices_per_text = 1\n'
HOMOPHONES = {"to", "too", "two", "for", "four", "fore", "ate", "eight", "won", "one", "oh", "owe", "o", "tu", "sicks"}


def described(folder: Path, text: str) -> Path:
    (folder / "voices.toml").write_text(text)
    return folder


def contents(recordings: list[Recording]) -> dict[str, bytes]:
    return {recording.path.name: recording.path.read_bytes() for recording in recordings}


def test_what_is_described_is_spoken(tmp_path: Path) -> None:
    found = corpora.read("synthetic", described(tmp_path, VOICES + WORDS + OH + SPEECH))
    assert {recording.label for recording in found} == {"7", "tree", "0", "good morning"}
    assert [recording.label for recording in found if recording.kind == "speech"] == ["good morning"]
    assert {recording.corpus for recording in found} == {"synthetic-espeak", "synthetic-flite"}
    assert all(recording.synthetic for recording in found)
    assert {recording.speaker for recording in found} <= {
        *(f"synthetic-espeak-{accent}-{variant}" for accent in ("en-us", "en-gb") for variant in ("f3", "Mr-serious")),
        *(f"synthetic-flite-{voice}" for voice in ("kal16", "awb", "rms", "slt")),
    }
    for recording in found:
        assert recording.speaker.removeprefix("synthetic-") in recording.path.name
        samples, rate_hz = soundfile.read(recording.path)
        assert (rate_hz, samples.ndim) == (16000, 1)
        assert 0.2 < len(samples) / rate_hz < 3
        assert np.abs(samples).max() > 0.05
    assert len(list(tmp_path.glob("*/*"))) == len(found)
    assert not list(tmp_path.glob("*/.*"))


def test_the_same_description_sounds_the_same_and_another_text_changes_none(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("first", "second", "third", "reseeded")]
    for folder in folders:
        folder.mkdir()
    first = contents(corpora.read("synthetic", described(folders[0], VOICES + WORDS)))
    assert contents(corpora.read("synthetic", described(folders[1], VOICES + WORDS))) == first
    more = contents(corpora.read("synthetic", described(folders[2], VOICES + OH + WORDS)))
    assert first.items() < more.items()
    other = contents(corpora.read("synthetic", described(folders[3], f"seed = 2\n{VOICES}{WORDS}")))
    assert not first.keys() & other.keys()


def test_only_what_is_missing_is_spoken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = corpora.read("synthetic", described(tmp_path, VOICES + WORDS))
    spoken = contents(found)
    found[0].path.unlink()
    found[1].path.write_bytes(b"kept")
    assert corpora.read("synthetic", tmp_path) == found
    assert contents(found) == {**spoken, found[1].path.name: b"kept"}
    monkeypatch.setenv("PATH", "")  # where all is there, nobody needs to speak
    assert corpora.read("synthetic", tmp_path) == found
    fewer = corpora.read("synthetic", described(tmp_path, VOICES + WORDS.replace('"tree"', "")))
    assert fewer == [recording for recording in found if recording.label == "7"]


@pytest.mark.parametrize("command", ["espeak-ng", "flite"])
def test_a_missing_command_is_told_with_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("PATH", "")
    voices = VOICES if command == "espeak-ng" else "espeak_accents = []\n"
    with pytest.raises(CorpusError, match=f"{command}: no such command.* install Debian's {command}"):
        corpora.read("synthetic", described(tmp_path, voices + WORDS))


@pytest.mark.parametrize(
    ("voices", "problem"),
    [
        (
            'espeak_accents = ["en-uss"]\n',
            r"voices.toml: espeak_accents: 'en-uss' is not installed; did you mean 'en-us'",
        ),
        ('espeak_variants = ["krok"]\n', "espeak_variants: 'krok' is not installed; did you mean 'croak'"),
        ('espeak_variants = ["all", "f3"]\n', "espeak_variants: 'all' is not installed"),
        ('flite_voices = ["kal61"]\n', "flite_voices: 'kal61' is not installed; did you mean 'kal16'"),
    ],
)
def test_an_unknown_voice_is_refused(tmp_path: Path, voices: str, problem: str) -> None:
    with pytest.raises(CorpusError, match=problem):
        corpora.read("synthetic", described(tmp_path, voices + WORDS))
    assert not list(tmp_path.glob("*/*"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (WORDS.replace("texts", "text"), "voices.toml:.*unknown key; did you mean 'texts'"),
        (WORDS.replace("6", "0"), "0 is out of range"),
        (WORDS.replace("tree", "Seven"), "text 'seven' stands there twice"),
        (WORDS.replace("tree", " "), "text ' ' cannot be spoken"),
        ("pitches = [120, 10]\n" + WORDS, "120 is out of range"),
        ("pitches = [80, 20]\n" + WORDS, r"pitches = \[80, 20\] must be \[lowest, highest\]"),
        ("rates_wpm = [100]\n" + WORDS, r"rates_wpm = \[100\] must be"),
        ("espeak_accents = []\nflite_voices = []\n" + WORDS, "nobody speaks"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        corpora.read("synthetic", described(tmp_path, text))


@pytest.mark.parametrize("voices", ["flite_voices = []\n", 'espeak_accents = []\nflite_voices = ["slt"]\n'])
def test_one_engine_may_speak_alone(tmp_path: Path, voices: str) -> None:
    assert len({recording.corpus for recording in corpora.read("synthetic", described(tmp_path, voices + WORDS))}) == 1


def test_silence_is_refused(tmp_path: Path) -> None:
    text = 'flite_voices = []\n[[words]]\ntexts = ["..."]\nn_voices_per_text = 1\n'
    with pytest.raises(CorpusError, match=r"'...' is silence; take the text or the voice out"):
        corpora.read("synthetic", described(tmp_path, text))
    assert not list(tmp_path.glob("*/*"))


@pytest.mark.parametrize(
    ("script", "problem"),
    [("echo no sound >&2\nexit 3", r"failed \(no sound\); try the command by hand"), ("exit 0", "wrote no speech")],
)
def test_an_engine_that_fails_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, problem: str
) -> None:
    flite = tmp_path / "bin/flite"
    flite.parent.mkdir()
    flite.write_text(f'#!/bin/sh\nif [ "$1" = -lv ]; then echo "Voices available: slt"; exit 0; fi\n{script}\n')
    flite.chmod(0o755)
    monkeypatch.setenv("PATH", f"{flite.parent}:{os.environ['PATH']}")
    with pytest.raises(CorpusError, match=f"flite -voice slt.*{problem}"):
        corpora.read("synthetic", described(tmp_path, f'espeak_accents = []\nflite_voices = ["slt"]\n{WORDS}'))


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "7").touch()
    with pytest.raises(CorpusError, match=r"7/.*flac: speech cannot be kept .*give a folder that may be written"):
        corpora.read("synthetic", described(tmp_path, VOICES + WORDS))


def test_without_a_description_the_packaged_one_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    packaged = described(tmp_path, VOICES + WORDS) / "voices.toml"
    monkeypatch.setattr(synthetic, "PACKAGED", packaged)
    (tmp_path / "cache").mkdir()
    with caplog.at_level(logging.INFO):
        assert {recording.label for recording in corpora.read("synthetic", tmp_path / "cache")} == {"7", "tree"}
    assert f"cache/voices.toml: is not there; {packaged} says what is spoken" in caplog.text


def test_the_packaged_description_speaks_each_digit_often_and_no_homophone_of_one() -> None:
    description = read_settings(voices.Description, synthetic.PACKAGED)
    n_voices = {text: words.n_voices_per_text for words in description.words for text in words.texts}
    assert all(n_voices[digit] > 100 for digit in (*DIGIT_WORDS, "oh"))
    others = n_voices.keys() - {*DIGIT_WORDS, "oh"}
    assert len(others) > 250
    said = {word for text in others for word in text.casefold().split()}
    assert said & {*DIGIT_WORDS, *HOMOPHONES, "nein"} == set()


def test_strings_are_spoken_and_their_words_found(tmp_path: Path) -> None:
    folder = described(tmp_path, "espeak_accents = []\nespeak_variants = []\n[[strings]]\nn_texts = 8\n")
    found = corpora.read("synthetic", folder)
    assert 4 <= len(found) <= 8  # what the alignment does not find again is left out
    assert {recording.kind for recording in found} == {"string"}
    for recording in found:
        words = said.read(recording.path)
        assert [word.label for word in words] == [digit_or_word(w) for w in recording.label.replace(",", "").split()]
        assert words[-1].end_s <= soundfile.info(recording.path).duration
    assert contents(corpora.read("synthetic", folder)) == contents(found)


def test_texts_of_strings_are_in_the_aligners_dictionary() -> None:
    texts = list(itertools.islice(string_texts.texts(np.random.default_rng(1)), 300))
    assert any("oh" in text.split() for text in texts)
    assert any("zero" in text for text in texts)
    digits = [[w for w in text.replace(",", "").split() if digit_or_word(w).isdigit()] for text in texts]
    assert all(2 <= len(words) <= string_texts.LONGEST for words in digits)
    assert any(a == b for words in digits for a, b in itertools.pairwise(words))

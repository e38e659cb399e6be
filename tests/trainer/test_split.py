"""Speakers apart, unless a random split is asked for by name."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digitd.daemon.errors import ConfigError, CorpusError
from digitd.daemon.settings import parse
from digitd.trainer.corpora.recording import Recording
from digitd.trainer.split import Split, SplitConfig, split


def recordings(n_speakers: int, takes: int = 20) -> list[Recording]:
    return [
        Recording(Path(f"{speaker}_{take}.wav"), str(take % 10), f"s{speaker}", "x")
        for speaker in range(n_speakers)
        for take in range(takes)
    ]


def speakers(part: tuple[Recording, ...]) -> set[str]:
    return {recording.speaker for recording in part}


@given(st.integers(40, 80), st.floats(0.2, 0.4), st.floats(0.2, 0.4))
def test_nobody_is_in_two_parts(n_speakers: int, test_share: float, validation_share: float) -> None:
    parts = split(recordings(n_speakers), SplitConfig(test_share=test_share, validation_share=validation_share))
    assert not speakers(parts.train) & speakers(parts.test)
    assert not speakers(parts.train) & speakers(parts.validation)
    assert not speakers(parts.validation) & speakers(parts.test)
    assert len(parts.train) + len(parts.validation) + len(parts.test) == n_speakers * 20


def test_named_speakers_and_patterns() -> None:
    parts = split(recordings(30), SplitConfig(test_speakers=("s0",), validation_speakers=("s1*",)))
    assert speakers(parts.test) == {"s0"}
    assert speakers(parts.validation) == {"s1", *(f"s1{n}" for n in range(10))}


def test_a_random_split_hears_everybody_everywhere_and_says_so() -> None:
    parts = split(recordings(4, takes=200), SplitConfig(kind="random"))
    assert parts.kind == "random"
    assert speakers(parts.train) == speakers(parts.validation) == speakers(parts.test)


def part_of(parts: Split) -> dict[Path, str]:
    return {recording.path: part for part in ("train", "validation", "test") for recording in getattr(parts, part)}


@pytest.mark.parametrize("kind", ["speakers", "random"])
def test_more_recordings_move_none(kind: str) -> None:
    config = parse(SplitConfig, f'kind = "{kind}"', "f.toml")
    few, many = split(recordings(40), config), split(recordings(60), config)
    assert part_of(few).items() <= part_of(many).items()


def test_an_unknown_speaker_is_named() -> None:
    with pytest.raises(CorpusError, match="no speaker 'theo' in the corpora; known are s0, s1, s2"):
        split(recordings(3), SplitConfig(test_speakers=("theo",), validation_speakers=("s1",)))


def test_one_speaker_cannot_be_split_by_speakers() -> None:
    with pytest.raises(CorpusError, match=r"1 speaker\(s\), split by speakers, is empty"):
        split(recordings(1), SplitConfig())


def test_a_random_split_takes_no_names() -> None:
    with pytest.raises(ConfigError, match="a split of kind 'random' takes no speakers by name"):
        parse(SplitConfig, 'kind = "random"\ntest_speakers = ["s1"]', "f.toml")


def audiomnist() -> list[Recording]:
    """The layout of AudioMNIST: 60 speakers."""
    return [
        Recording(Path(f"{n:02d}/{digit}_{n:02d}_0.wav"), str(digit), f"audiomnist-{n:02d}", "audiomnist")
        for n in range(1, 61)
        for digit in range(10)
    ]


@pytest.mark.parametrize("fold", range(1, 6))
def test_audiomnists_folds_are_speaker_disjoint(fold: int) -> None:
    parts = split(audiomnist(), SplitConfig(kind="audiomnist", fold=fold))
    assert [len(speakers(part)) for part in (parts.train, parts.validation, parts.test)] == [36, 12, 12]
    assert len(speakers(parts.train) | speakers(parts.validation) | speakers(parts.test)) == 60


def test_audiomnists_folds_are_the_published_ones() -> None:
    folds = [split(audiomnist(), SplitConfig(kind="audiomnist", fold=fold)) for fold in range(1, 6)]
    assert set.union(*(speakers(parts.test) for parts in folds)) == speakers(tuple(audiomnist()))
    assert set.union(*(speakers(parts.validation) for parts in folds)) == speakers(tuple(audiomnist()))
    first_test = {f"audiomnist-{n:02d}" for n in (26, 52, 60, 18, 32, 42, 5, 13, 22, 33, 45, 51)}
    assert speakers(folds[0].test) == speakers(folds[1].validation) == first_test


def test_audiomnists_folds_part_nothing_else() -> None:
    with pytest.raises(CorpusError, match="AudioMNIST's folds do not part x; split by speakers or random"):
        split(recordings(3), SplitConfig(kind="audiomnist"))


def test_a_label_that_is_in_no_training_recording_is_named() -> None:
    odd = [*recordings(3), Recording(Path("s1_99.wav"), "ten", "s1", "x")]
    with pytest.raises(
        CorpusError, match=r"the test part has the label\(s\) 'ten', which no recording of the training"
    ):
        split(odd, SplitConfig(test_speakers=("s1",), validation_speakers=("s2",)))


def test_a_random_split_parts_words_whose_files_have_the_same_name() -> None:
    # as in Speech Commands: WORD/SPEAKER_nohash_0.wav
    found = [Recording(Path(f"{word}/{n}_0.wav"), str(word), f"s{n}", "x") for word in range(10) for n in range(40)]
    parts = split(found, SplitConfig(kind="random"))
    assert speakers(parts.train) & speakers(parts.test)

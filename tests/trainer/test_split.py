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

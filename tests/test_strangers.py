"""The default bundle on recordings of people, through the daemon's own pipeline."""

from pathlib import Path

import pytest

from digitd.daemon.recogniser import Recogniser
from digitd.trainer.compose import isolated
from digitd.trainer.corpora import read
from digitd.trainer.corpora.recording import Recording
from digitd.trainer.field_test import STREAM_SEED, FieldTest, Heard

pytestmark = pytest.mark.corpora


def digits(corpora: Path, speaker: str) -> list[Recording]:
    """A speaker's digits, or everybody's."""
    return [r for r in read("manifest", corpora) if r.label in "0123456789" and r.speaker.startswith(speaker)]


def listen(recogniser: Recogniser, recordings: list[Recording]) -> list[Heard]:
    """What the bundle makes of each recording in always mode."""
    stream = isolated(recordings, recogniser.spec.sample_rate_hz, STREAM_SEED)
    return FieldTest(recogniser).heard(stream, "always")


def test_a_stranger_is_heard(recogniser: Recogniser, corpora: Path) -> None:
    heard = listen(recogniser, digits(corpora, "fsdd-theo"))
    assert len(heard) == 500
    assert sum(bool(item.events) for item in heard) >= 0.99 * len(heard)  # the segmenter loses no word
    assert sum(len(item.events) for item in heard) <= 1.03 * len(heard)  # and splits few
    assert sum(item.right for item in heard) >= 0.8 * len(heard)


@pytest.mark.slow
def test_the_segmenter_loses_nobodys_words(recogniser: Recogniser, corpora: Path) -> None:
    heard = listen(recogniser, digits(corpora, ""))
    assert len(heard) > 3000
    assert sum(bool(item.events) for item in heard) >= 0.99 * len(heard)

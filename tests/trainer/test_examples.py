"""The trainer hears with the daemon's ears."""

from pathlib import Path

import numpy as np
import pytest

from digitd.daemon.audio import Block, Samples
from digitd.daemon.events import Digit
from digitd.daemon.features import LogMel
from digitd.daemon.pipeline import Pipeline, PipelineConfig
from digitd.daemon.recogniser import Recogniser
from digitd.trainer import corpora
from digitd.trainer.compose import isolated
from digitd.trainer.examples import Ear, hear, utterances
from digitd.trainer.room import RoomConfig
from digitd.trainer.scores import Word, assigned, share_right

LABELS = tuple("0123456789")


def test_examples_are_what_the_daemon_would_show_its_network(recogniser: Recogniser, demo: Samples) -> None:
    spec = recogniser.spec
    pipeline = Pipeline(recogniser, "entry", 16000, PipelineConfig())
    bodies = [*pipeline.push(Block(demo[:, np.newaxis])), *pipeline.finish()]
    log_mel = LogMel(spec)
    features = np.array([log_mel.spectrogram(u.samples) for u in utterances(demo, 16000, spec.sample_rate_hz)])
    confidences = recogniser.posteriors(features).max(axis=1)
    assert [b.confidence for b in bodies if isinstance(b, Digit)] == pytest.approx(confidences.tolist(), abs=1e-5)


def test_the_same_file_sounds_the_same_in_each_run(recogniser: Recogniser, spoken_digits: Path) -> None:
    recordings = corpora.read("fsdd", spoken_digits)[:3]
    spec = recogniser.spec
    ears = [Ear(spec, RoomConfig(), seed, 0.2) for seed in (1, 1, 2)]
    first, again, other = (hear(recordings, LABELS, ear, 2, "test") for ear in ears)
    np.testing.assert_array_equal(first.features, again.features)
    assert np.abs(first.features - other.features).max() > 0.1
    assert np.abs(first.features[0] - first.features[1]).max() > 0.1  # two takes are two rooms
    assert first.labels.tolist() == [int(r.label) for r in recordings for _ in range(2)]
    assert first.unheard == 0


def test_a_composed_stream_holds_every_word_where_it_says(spoken_digits: Path) -> None:
    recordings = corpora.read("fsdd", spoken_digits)[:10]
    stream = isolated(recordings, 16000, seed=3)
    assert sorted(word.label for word in stream.words) == sorted(recording.label for recording in recordings)
    for word in stream.words:
        inside = stream.samples[int(word.start_s * 16000) : int(word.end_s * 16000)]
        before = stream.samples[int((word.start_s - 0.3) * 16000) : int((word.start_s - 0.1) * 16000)]
        assert np.sqrt((inside**2).mean()) > 10 * np.sqrt((before**2).mean())


def test_events_go_to_the_word_they_lie_on() -> None:
    words = [Word("1", "s", 1.0, 1.5), Word("2", "s", 3.0, 3.5)]
    found = [Digit("1", 1.0, 0.9, 1.4, 1.6), Digit("9", 1.0, 2.1, 2.3, 2.4), Digit("2", 1.0, 3.1, 3.6, 3.7)]
    assert [[event.digit for event in on_it] for on_it in assigned(words, found)] == [["1"], ["2"]]  # type: ignore[union-attr]


def test_a_share_has_wilsons_interval() -> None:
    assert share_right(98, 100) == {"share": 0.98, "low": 0.93, "high": 0.9945, "right": 98, "total": 100}

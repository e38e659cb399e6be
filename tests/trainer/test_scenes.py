"""Scenes: what is said where, the same for the same seed, and only where it is true."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from digitd.daemon.errors import CorpusError
from digitd.trainer import augment, clips, codec, corpora
from digitd.trainer.cast import Cast
from digitd.trainer.corpora.recording import Recording
from digitd.trainer.corpora.said import Said
from digitd.trainer.phrases import Phrase, StringCast
from digitd.trainer.scene_config import SceneConfig, Timing
from digitd.trainer.scenes import UNKNOWN, SceneMaker, Stock, dues
from digitd.trainer.stock import is_negative, stock

pytestmark = pytest.mark.train
LABELS = tuple("0123456789")
RATE_HZ = 16000
OUTPUT_S = 0.04
NONE = len(LABELS)


@pytest.fixture(scope="module")
def spoken(spoken_digits: Path) -> list[clips.Clip]:
    return clips.load(corpora.read("fsdd", spoken_digits), RATE_HZ, "test")


TIMING = Timing(settled_s=0.06, over_s=0.22, margin_s=0.06)
"""Of connected digits."""


def maker(spoken: list[clips.Clip], **shares: float) -> SceneMaker:
    cast = Cast(spoken, 0.0)
    config = SceneConfig(**{"reverberant": 0.0, "noise_only": 0.0, "noisy": 0.0, **shares})
    strings = StringCast([], spoken, 0.0, RATE_HZ)
    return SceneMaker(
        Stock(cast, cast, cast, strings, (), ()),
        LABELS,
        config,
        TIMING if "strings" in shares else Timing(),
        RATE_HZ,
        OUTPUT_S,
    )


ONLY_DIGITS = {"digits": 1.0, "words": 0.0, "speech": 0.0, "halves": 0.0, "doubles": 0.0, "things": 0.0}


def test_a_scene_hangs_on_its_seed_alone(spoken: list[clips.Clip]) -> None:
    first, again, other = (maker(spoken).make([1, n]) for n in (7, 7, 8))
    np.testing.assert_array_equal(first.samples, again.samples)
    np.testing.assert_array_equal(first.targets, again.targets)
    assert np.abs(first.samples - other.samples).max() > 0


def test_a_digit_is_due_after_its_end(spoken: list[clips.Clip]) -> None:
    scenes = [maker(spoken, **ONLY_DIGITS).make([2, n]) for n in range(20)]
    timing = Timing()
    for scene in scenes:
        due = (scene.targets >= 0) & (scene.targets < NONE)
        assert due.any()
        starts = np.flatnonzero(due & ~np.roll(due, 1))
        for start in starts:
            run = next((n for n in range(start, len(due)) if not due[n]), len(due)) - start
            assert run <= round((timing.over_s - timing.settled_s) / OUTPUT_S) + 1
            before = scene.targets[max(0, start - 2) : start]
            assert (before == UNKNOWN).all()  # right before, either answer will do


@pytest.mark.parametrize("what", ["words", "speech", "halves", "doubles", "things"])
def test_nothing_else_is_a_digit(spoken: list[clips.Clip], what: str) -> None:
    shares = {**dict.fromkeys(ONLY_DIGITS, 0.0), what: 1.0}
    for n in range(10):
        scene = maker(spoken, **shares).make([3, n])
        assert (scene.targets == NONE).all()
        assert np.abs(scene.samples).max() <= 1


def runs(targets: NDArray[np.int8]) -> list[tuple[int, int]]:
    """Each digit that is due and for how many outputs."""
    return [(label, len(list(run))) for label, run in itertools.groupby(targets.tolist()) if 0 <= label < NONE]


def test_each_digit_of_a_string_is_due(spoken: list[clips.Clip]) -> None:
    shares = {**dict.fromkeys(ONLY_DIGITS, 0.0), "strings": 1.0}
    made = [maker(spoken, **shares).make([5, n]) for n in range(20)]
    due = [each for scene in made for each in runs(scene.targets)]
    assert len(due) > 3 * len(made)
    assert all(n <= 2 * 5 for _, n in due)  # a digit twice may be due without a break
    assert {label for label, _ in due} == set(range(10))


def test_a_digit_that_a_word_follows_at_once_is_none(spoken: list[clips.Clip]) -> None:
    shares = {**dict.fromkeys(ONLY_DIGITS, 0.0), "glued": 1.0}
    made = [maker(spoken, **shares).make([6, n]) for n in range(40)]
    n_due = [len(runs(scene.targets)) for scene in made]
    assert not any(n_due)
    assert any((scene.targets == UNKNOWN).any() for scene in made)


def said(*labels: str, gap_s: float = 0.0) -> Phrase:
    words = tuple(Said(label, n * (0.3 + gap_s), n * (0.3 + gap_s) + 0.3) for n, label in enumerate(labels))
    return Phrase(np.zeros(1, np.float32), words, np.zeros(0, np.int8))


@pytest.mark.parametrize(
    ("phrase", "due"),
    [
        (said("5", "5", "1"), ["5", "5", "1"]),
        (said("5", "please"), [None]),  # another word follows at once
        (said("5", "please", gap_s=0.2), ["5"]),
        (said("number", "5"), [None]),
        (said("number", "5", "6"), [None, "6"]),
        (said("twenty", "5", "4"), [None, "4"]),
        (said("a", "o", "2"), [None, None]),
    ],
)
def test_what_is_due_in_a_phrase(phrase: Phrase, due: list[str | None]) -> None:
    assert [label for label, _ in dues(phrase)] == due


def test_a_stretch_of_a_recorded_string_begins_between_its_words() -> None:
    words = tuple(Said(str(n), n * 0.5 + 0.1, n * 0.5 + 0.5) for n in range(10))
    pcm = np.zeros(6 * RATE_HZ, np.int16)
    for word in words:
        pcm[int(word.start_s * RATE_HZ) : int(word.end_s * RATE_HZ)] = 20000
    clip = clips.Clip(Recording(Path("x"), "text", "s", "c", "string"), pcm, np.zeros(1, np.float32), words)
    cast, generator = StringCast([clip], [], 0.0, RATE_HZ), np.random.default_rng(0)
    firsts = set()
    for _ in range(30):
        phrase = cast.recorded(generator, 3.2)
        firsts.add(phrase.words[0].label)
        for word in phrase.words:
            middle = phrase.samples[int((word.start_s + 0.02) * RATE_HZ) : int((word.end_s - 0.02) * RATE_HZ)]
            assert (middle > 0.5).all()
    assert len(firsts) > 5


def test_digits_that_are_put_together_are_said_faster(spoken: list[clips.Clip]) -> None:
    cast, lengths_s = StringCast([], spoken, 0.0, RATE_HZ), dict[float, float]()
    for fastest in (1.0, 1.7):
        phrases = [cast.composed(augment.seeded([1, n]), fastest=fastest)[1] for n in range(20)]
        lengths_s[fastest] = sum(word.end_s - word.start_s for phrase in phrases for word in phrase.words)
        for phrase in phrases:
            assert phrase.words[-1].end_s <= len(phrase.samples) / RATE_HZ + 0.01
            for word in phrase.words:  # the sound moves with its times
                said = phrase.samples[int(word.start_s * RATE_HZ) : int(word.end_s * RATE_HZ)]
                assert np.abs(said).max() > 0.2 * np.abs(phrase.samples).max()
    assert 1.1 < lengths_s[1.0] / lengths_s[1.7] < 1.4


def test_samples_are_sixteen_bits(spoken: list[clips.Clip]) -> None:
    samples = maker(spoken, noisy=1.0, reverberant=1.0).make([4, 0]).samples
    assert samples.dtype == np.float32
    np.testing.assert_allclose(samples * 32767, np.round(samples * 32767), atol=2e-3)


def test_the_rare_speaker_is_drawn_as_often_as_the_root_of_how_much_there_is() -> None:
    pcm = np.ones(100, np.int16)
    many = [clips.Clip(Recording(Path("a"), "1", "many", "c"), pcm, np.zeros(1, np.float32))] * 100
    few = [clips.Clip(Recording(Path("b"), "1", "few", "c"), pcm, np.zeros(1, np.float32))] * 4
    cast, generator = Cast([*many, *few], 0.5), np.random.default_rng(0)
    drawn = [cast.draw(generator, "1").recording.speaker for _ in range(2000)]
    assert drawn.count("few") / len(drawn) == pytest.approx(2 / 12, abs=0.03)


def test_homophones_are_no_negatives() -> None:
    def word(label: str) -> Recording:
        return Recording(Path("x"), label, "s", "c")

    assert [is_negative(word(w), LABELS) for w in ("to", "for", "won", "Ate", "two", "7", "tree", "hero")] == [
        *[False] * 6,
        True,
        True,
    ]
    assert is_negative(Recording(Path("x"), "go to the door", "s", "c", "speech"), LABELS)
    assert not is_negative(Recording(Path("x"), "the one door", "s", "c", "speech"), LABELS)


def test_a_part_without_negatives_is_refused(spoken_digits: Path) -> None:
    with pytest.raises(CorpusError, match="the train part has no other words"):
        stock(corpora.read("fsdd", spoken_digits), LABELS, RATE_HZ, 0.3, "train")


def test_a_room_leaves_the_word_where_it_is() -> None:
    samples = np.zeros(16000, np.float32)
    samples[4000:8000] = np.sin(np.arange(4000) * 0.2)
    for seed in range(5):
        wet = augment.room(samples, RATE_HZ, (), augment.seeded([seed]))
        assert len(wet) == len(samples)
        assert (wet**2).sum() == pytest.approx((samples**2).sum(), rel=1e-3)
        assert np.abs(wet[:3990]).max() < 0.01 * np.abs(wet).max()


@pytest.mark.parametrize("used", codec.CODECS, ids=lambda used: used.subtype)
@pytest.mark.parametrize("n_samples", [8000, 12345])
def test_a_codec_leaves_the_word_where_it_is(used: codec.Codec, n_samples: int) -> None:
    samples = np.zeros(n_samples, np.float32)
    samples[4000:6000] = 0.3 * np.sin(np.arange(2000) * 0.2) * np.hanning(2000)
    coded = codec.coded(samples, RATE_HZ, used, 0.5 if used.compression else None)
    assert coded.shape == samples.shape
    lags = np.correlate(coded, samples[3000:7000], "valid")
    assert abs(int(lags.argmax()) - 3000) <= 4
    error = np.sqrt(((coded - samples) ** 2).mean() / (samples**2).mean())
    assert 1e-4 < error < 0.6


def test_silence_through_a_codec_stays_finite() -> None:
    for used in codec.CODECS:
        coded = codec.coded(np.zeros(1600, np.float32), RATE_HZ, used, used.compression and used.compression[1])
        assert np.abs(coded).max() < 1e-6


def test_a_clip_is_cut_by_level() -> None:
    quiet, loud = 0.01 * np.ones(1600, np.float32), np.ones(1600, np.float32)
    levels_dbfs = clips.levels(np.concatenate([0 * quiet, quiet, loud, quiet, 0 * quiet]), RATE_HZ)
    assert clips.span_s(levels_dbfs, 50.0) == pytest.approx((0.1, 0.4))
    assert clips.span_s(levels_dbfs, 20.0) == pytest.approx((0.2, 0.3))

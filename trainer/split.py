"""Recordings -> training, validation and test part: speakers apart, unless a random split is asked for by name."""

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from digitd.daemon.errors import CorpusError
from digitd.daemon.settings import nearest, setting
from digitd.trainer.corpora import audiomnist
from digitd.trainer.corpora.recording import Recording

Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = ("train", "validation", "test")


@dataclass(frozen=True)
class SplitConfig:
    """How recordings are parted."""

    kind: Literal["speakers", "random", "audiomnist", "dealt"] = "speakers"
    """`speakers`: nobody is heard in two parts. `random`: everybody is, which flatters; its report says so.
    `audiomnist`: one of the five speaker-disjoint folds that were published with AudioMNIST.
    `dealt`: speakers are dealt to `n_folds` like cards, those with most recordings first; one fold is the test part."""
    fold: int = setting(1, at_least=1, at_most=len(audiomnist.GROUPS))
    """Which fold of `audiomnist`, or of those that are `dealt`."""
    n_folds: int = setting(4, at_least=2, at_most=100)
    """So many hands are `dealt`."""
    validation_speakers: tuple[str, ...] = ()
    """Names or patterns (`gsc-[0-7]*`). Where both lists are empty, speakers are drawn by the shares below."""
    test_speakers: tuple[str, ...] = ()
    validation_share: float = setting(0.15, at_least=0, at_most=0.5)
    test_share: float = setting(0.15, at_least=0, at_most=0.5)

    def __post_init__(self) -> None:
        if self.kind != "speakers" and (self.validation_speakers or self.test_speakers):
            raise ValueError(
                f"a split of kind {self.kind!r} takes no speakers by name; leave them out, or ask for kind = 'speakers'"
            )


@dataclass(frozen=True)
class Split:
    """The three parts."""

    kind: str
    train: tuple[Recording, ...]
    validation: tuple[Recording, ...]
    test: tuple[Recording, ...]


def split(recordings: Iterable[Recording], config: SplitConfig, labels: Collection[str] | None = None) -> Split:
    """Part the recordings; the same file or speaker falls into the same part whatever else is added.

    Args:
        recordings: all of them.
        config: how.
        labels: those that must be in the training part if they are in another; by default all.

    Raises:
        CorpusError: a named speaker does not exist, a part would be empty, or a label is in no training recording.
    """
    recordings = list(recordings)
    part_of = _part_rule(recordings, config)
    parts: dict[Part, list[Recording]] = {part: [] for part in PARTS}
    for recording in recordings:
        parts[part_of(recording)].append(recording)
    for part, members in parts.items():
        if not members:
            speakers = len({recording.speaker for recording in recordings})
            raise CorpusError(
                f"the {part} part of {len(recordings)} recordings by {speakers} speaker(s), split by "
                f"{config.kind}, is empty; name its speakers or add recordings"
            )
    _check_labels(parts, labels)
    return Split(config.kind, tuple(parts["train"]), tuple(parts["validation"]), tuple(parts["test"]))


def _check_labels(parts: dict[Part, list[Recording]], labels: Collection[str] | None) -> None:
    taught = {recording.label for recording in parts["train"]}
    for part, members in parts.items():
        found = {recording.label for recording in members}
        untaught = sorted((found if labels is None else found & set(labels)) - taught)
        if untaught:
            raise CorpusError(
                f"the {part} part has the label(s) {', '.join(map(repr, untaught))}, which no recording of the "
                "training part has; add recordings, part the speakers otherwise, or leave the label out"
            )


def _part_rule(recordings: list[Recording], config: SplitConfig) -> Callable[[Recording], Part]:
    if config.kind == "random":
        return lambda recording: _drawn(f"{recording.corpus}/{recording.label}/{recording.path.name}", config)
    if config.kind == "audiomnist":
        return _fold_rule(recordings, config.fold)
    if config.kind == "dealt":
        return _by_speaker(*_dealt(recordings, config))
    if not (config.validation_speakers or config.test_speakers):
        return lambda recording: _drawn(recording.speaker, config)
    speakers = {recording.speaker for recording in recordings}
    test = _matching(config.test_speakers, speakers)
    validation = _matching(config.validation_speakers, speakers) - test
    return _by_speaker(validation, test)


def _fold_rule(recordings: list[Recording], fold: int) -> Callable[[Recording], Part]:
    strangers = sorted({recording.corpus for recording in recordings} - {audiomnist.CORPUS})
    if strangers:
        raise CorpusError(f"AudioMNIST's folds do not part {', '.join(strangers)}; split by speakers or random")
    return _by_speaker(*audiomnist.fold(fold))


VALIDATION_HAND = 5
"""Of each six hands that were dealt the last is the validation part: nobody who has much to say."""


def _dealt(recordings: list[Recording], config: SplitConfig) -> tuple[set[str], set[str]]:
    """Validation and test speakers. Kinds are dealt apart; synthetic voices and rooms are only ever trained on."""
    validation: set[str] = set()
    test: set[str] = set()
    for kind in ("digit", "word", "speech", "noise"):
        counts = Counter(r.speaker for r in recordings if not r.synthetic and _deck(r) == kind)
        cards = sorted(counts.keys() - validation - test, key=lambda speaker: (-counts[speaker], speaker))
        for at, speaker in enumerate(cards):
            if at % config.n_folds == config.fold - 1:
                test.add(speaker)
            elif at // config.n_folds % (VALIDATION_HAND + 1) == VALIDATION_HAND:
                validation.add(speaker)
    return validation, test


def _deck(recording: Recording) -> str:
    return "digit" if recording.kind == "word" and recording.label.isdigit() else recording.kind


def _by_speaker(validation: Collection[str], test: Collection[str]) -> Callable[[Recording], Part]:
    return lambda recording: (
        "test" if recording.speaker in test else "validation" if recording.speaker in validation else "train"
    )


def _matching(patterns: tuple[str, ...], speakers: set[str]) -> set[str]:
    found: set[str] = set()
    for pattern in patterns:
        matching = {speaker for speaker in speakers if fnmatchcase(speaker, pattern)}
        if not matching:
            raise CorpusError(f"no speaker {pattern!r} in the corpora{nearest(pattern, sorted(speakers))}")
        found |= matching
    return found


def _drawn(name: str, config: SplitConfig) -> Part:
    """By hash of the name, as Speech Commands' `which_set`: stable when recordings are added."""
    share = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) / 2**64
    if share < config.test_share:
        return "test"
    return "validation" if share < config.test_share + config.validation_share else "train"

"""Recordings -> training, validation and test part: speakers apart, unless a random split is asked for by name."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from digitd.daemon.errors import CorpusError
from digitd.daemon.settings import nearest, setting
from digitd.trainer.corpora.recording import Recording

Part = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class SplitConfig:
    """How recordings are parted."""

    kind: Literal["speakers", "random"] = "speakers"
    """`speakers`: nobody is heard in two parts. `random`: everybody is, which flatters; its report says so."""
    validation_speakers: tuple[str, ...] = ()
    """Names or patterns (`gsc-[0-7]*`). Where both lists are empty, speakers are drawn by the shares below."""
    test_speakers: tuple[str, ...] = ()
    validation_share: float = setting(0.15, at_least=0, at_most=0.5)
    test_share: float = setting(0.15, at_least=0, at_most=0.5)

    def __post_init__(self) -> None:
        if self.kind == "random" and (self.validation_speakers or self.test_speakers):
            raise ValueError("a random split takes no speakers by name; leave them out, or ask for kind = 'speakers'")


@dataclass(frozen=True)
class Split:
    """The three parts."""

    kind: str
    train: tuple[Recording, ...]
    validation: tuple[Recording, ...]
    test: tuple[Recording, ...]


def split(recordings: Iterable[Recording], config: SplitConfig) -> Split:
    """Part the recordings; the same file or speaker falls into the same part whatever else is added.

    Raises:
        CorpusError: a named speaker does not exist, or a part would be empty.
    """
    recordings = list(recordings)
    part_of = _part_rule(recordings, config)
    parts: dict[Part, list[Recording]] = {"train": [], "validation": [], "test": []}
    for recording in recordings:
        parts[part_of(recording)].append(recording)
    for part, members in parts.items():
        if not members:
            speakers = len({recording.speaker for recording in recordings})
            raise CorpusError(
                f"the {part} part of {len(recordings)} recordings by {speakers} speaker(s), split by "
                f"{config.kind}, is empty; name its speakers or add recordings"
            )
    return Split(config.kind, tuple(parts["train"]), tuple(parts["validation"]), tuple(parts["test"]))


def _part_rule(recordings: list[Recording], config: SplitConfig) -> Callable[[Recording], Part]:
    if config.kind == "random":
        return lambda recording: _drawn(f"{recording.corpus}/{recording.path.name}", config)
    if not (config.validation_speakers or config.test_speakers):
        return lambda recording: _drawn(recording.speaker, config)
    speakers = {recording.speaker for recording in recordings}
    test = _matching(config.test_speakers, speakers)
    validation = _matching(config.validation_speakers, speakers) - test
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

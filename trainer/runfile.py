"""A run: everything that decides what a training gives, read from a TOML file."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from digitd.daemon.errors import ConfigError, CorpusError
from digitd.daemon.features import MelSpec
from digitd.daemon.settings import nearest, read, setting
from digitd.trainer import corpora
from digitd.trainer.corpora.recording import Kind, Recording
from digitd.trainer.networks import NETWORKS, STREAM_NETWORKS
from digitd.trainer.networks.activations import Activations
from digitd.trainer.room import RoomConfig
from digitd.trainer.split import SplitConfig
from digitd.trainer.stream_run import StreamTraining

NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
"""What a run or a bundle may be called: it becomes a folder."""


def check_name(name: str) -> None:
    """Raises ValueError for a name that could not become a folder or a file."""
    if not NAME.fullmatch(name):
        raise ValueError(f"name = {name!r} must be letters, digits, '.', '_' and '-'")


@dataclass(frozen=True)
class CorpusConfig:
    """A folder of recordings."""

    reader: str
    folder: str
    """Environment variables are filled in; a relative folder is taken from where the run file lies."""
    labels: tuple[str, ...] = ()
    """Only these; empty: all that the corpus has."""
    kinds: tuple[Kind, ...] = ("word",)
    """Only recordings of these kinds."""


@dataclass(frozen=True)
class TrainingConfig:
    """How the network is fitted."""

    epochs: int = setting(10, at_least=1, at_most=10000)
    batch_size: int = setting(64, at_least=1, at_most=65536)
    optimiser: Literal["adam", "adamw", "nadam", "rmsprop", "sgd"] = "adam"
    learning_rate: float = setting(0.001, at_least=1e-9, at_most=10)
    early_stopping_epochs: int = setting(0, at_least=0, at_most=10000)
    """Stop after so many epochs in a row without a lower validation loss; 0: never."""
    keep: Literal["last", "best"] = "last"
    """Which epoch's network is the run's: the last, or the one with the lowest validation loss."""
    precision: Literal["auto", "float32", "mixed_float16", "mixed_bfloat16"] = "auto"
    """What layers compute in; `auto`: mixed_float16 on GPUs with tensor cores, else float32. result.json names it."""
    tensorboard: bool = False
    """Write the run folder's `tensorboard`, for `tensorboard --logdir`."""
    takes: int = setting(1, at_least=1, at_most=1000)
    """In so many rooms each recording of the training part is heard."""
    speed_range: float = setting(0.0, at_least=0, at_most=0.5)
    """Each take of the training part is played up to this share faster or slower."""


@dataclass(frozen=True)
class Run:
    """A run file."""

    name: str
    network: str
    corpora: tuple[CorpusConfig, ...]
    seed: int = setting(1, at_least=0, at_most=2**32 - 1)
    activations: Activations = field(default_factory=Activations)
    features: MelSpec = field(default_factory=MelSpec)
    room: RoomConfig = field(default_factory=RoomConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    stream: StreamTraining | None = None
    """For a network that hears a stream; `features`, `room`, `takes` and `speed_range` are for the others."""

    def __post_init__(self) -> None:
        check_name(self.name)
        known = NETWORKS if self.stream is None else STREAM_NETWORKS
        if self.network not in known:
            hint = " needs a table `stream`" if self.network in STREAM_NETWORKS else nearest(self.network, known)
            raise ValueError(f"no network {self.network!r}{hint}")


def read_run(path: Path) -> Run:
    """The run of a TOML file.

    Raises:
        ConfigError: all its problems.
    """
    return read(Run, path)


def recordings(run: Run, base: Path) -> list[Recording]:
    """All recordings of the run's corpora; relative folders are taken from `base`.

    Raises:
        ConfigError: a folder names an environment variable that is not set.
        CorpusError: a corpus cannot be read, or lacks a label that is asked for.
    """
    found: list[Recording] = []
    for corpus in run.corpora:
        members = corpora.read(corpus.reader, base / _filled_in(corpus.folder))
        members = [member for member in members if member.kind in corpus.kinds]
        found += _with_labels(members, corpus)
    if not found:
        raise ConfigError(f"run {run.name!r} names no corpora; add a [[corpora]] table")
    return found


def _with_labels(members: list[Recording], corpus: CorpusConfig) -> list[Recording]:
    """The members that have one of the labels asked for; all where none is."""
    known = sorted({member.label for member in members})
    unknown = [label for label in corpus.labels if label not in known]
    if unknown:
        raise CorpusError(
            f"{corpus.folder}: none of its {len(members)} recordings is labelled {', '.join(map(repr, unknown))}"
            f"{nearest(unknown[0], known)}"
        )
    return [member for member in members if not corpus.labels or member.label in corpus.labels]


def _filled_in(folder: str) -> str:
    filled = os.path.expandvars(folder)
    if "$" in filled:
        raise ConfigError(f"corpora.folder = {folder!r} names an environment variable that is not set; set it")
    if folder.startswith("$") and not Path(filled).is_absolute():
        raise ConfigError(f"corpora.folder = {folder!r} holds {filled!r}; set it to an absolute folder")
    return filled

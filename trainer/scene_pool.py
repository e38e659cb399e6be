"""Rounds of scenes, made by several processes ahead of the training."""

import ctypes
import multiprocessing
import os
import signal
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from digitd.daemon.stream_features import MelStream
from digitd.trainer.scenes import SceneMaker, Stock
from digitd.trainer.stream_run import StreamTraining

UNWARPED = 0.3
"""Share of scenes whose bands stay where they are."""
BATCH = 50
PR_SET_PDEATHSIG = 1
"""Of prctl(2): a process that waits for work in a pipe does not see its parent die."""
NICENESS = 5
"""The scenes are made ahead of the training, which goes first."""


@dataclass(frozen=True)
class Scenes:
    """What a round is trained on."""

    features: NDArray[np.float16]
    """float16 [n_scenes, n_frames, n_mels]: half the memory."""
    targets: NDArray[np.int8]
    """int8 [n_scenes, n_outputs], see `scenes.Scene`."""
    phones: NDArray[np.int8]
    """Likewise."""


class SceneStudio:
    """Makes the scenes of one stock; each hangs on seed, round and its own number alone."""

    def __init__(self, stock: Stock, labels: Sequence[str], config: StreamTraining, seed: int) -> None:
        spec = config.features
        output_s = spec.frames_per_output * spec.hop_samples / spec.sample_rate_hz
        self._maker = SceneMaker(stock, labels, config.scenes, config.timing, spec.sample_rate_hz, output_s)
        self._config, self._seed = config, seed

    def make(self, number: int, first: int, last: int, *, warped: bool) -> Scenes:
        """Scenes `first` to `last` (exclusive) of a round."""
        made = [self._scene([self._seed, number, index], warped=warped) for index in range(first, last)]
        features, targets, phones = (np.stack(each) for each in zip(*made, strict=True))
        return Scenes(features, targets, phones)

    def _scene(self, seed: list[int], *, warped: bool) -> tuple[NDArray[Any], ...]:
        scene = self._maker.make(seed)
        generator = np.random.default_rng([*seed, 1])
        bent = warped and generator.random() >= UNWARPED
        warp = 1 + generator.uniform(-self._config.warp, self._config.warp) if bent else 1.0
        return (
            MelStream(self._config.features, warp).push(scene.samples).astype(np.float16),
            scene.targets,
            scene.phones,
        )


class ScenePool:
    """A studio in several processes. They are forked at once: before TensorFlow's threads, which no fork survives."""

    def __init__(self, studio: SceneStudio, n_processes: int) -> None:
        global _studio
        _studio = studio  # the processes inherit it; it is too large to be sent
        fork = multiprocessing.get_context("fork")
        self._processes = ProcessPoolExecutor(n_processes, fork, _settle)
        self._processes.submit(os.getpid).result()
        _studio = None

    def order(self, number: int, n_scenes: int, *, warped: bool) -> "Order":
        """Have the scenes of a round made."""
        firsts = range(0, n_scenes, BATCH)
        return Order(
            number,
            [self._processes.submit(_make, number, n, min(n + BATCH, n_scenes), warped=warped) for n in firsts],
        )

    def close(self) -> None:
        """Stop; what was ordered and not fetched is dropped."""
        self._processes.shutdown(cancel_futures=True)


@dataclass(frozen=True)
class Order:
    """A round that is being made."""

    number: int
    _parts: list[Future[Scenes]]

    def fetch(self) -> Scenes:
        """Wait for its scenes."""
        parts = [part.result() for part in tqdm(self._parts, f"round {self.number}", unit="batch", disable=None)]
        columns = ([getattr(part, name) for part in parts] for name in ("features", "targets", "phones"))
        return Scenes(*map(np.concatenate, columns))


_studio: SceneStudio | None = None


def _settle() -> None:
    """Of one process: it ends with the training, however that ends, and its small products share no cores."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.nice(NICENESS)
    threadpool_limits(1)


def _make(number: int, first: int, last: int, *, warped: bool) -> Scenes:
    assert _studio is not None  # noqa: S101 - inherited when the process was forked
    return _studio.make(number, first, last, warped=warped)

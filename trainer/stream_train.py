"""Trains a network that hears a stream: loads the clips, starts the processes that make scenes, then TensorFlow."""

import os
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from digitd.daemon.errors import TrainingError
from digitd.trainer.corpora.recording import Recording
from digitd.trainer.networks import FRAMES_PER_OUTPUT
from digitd.trainer.run_folder import RunFolder
from digitd.trainer.runfile import Run
from digitd.trainer.scene_pool import ScenePool, Scenes, SceneStudio
from digitd.trainer.split import Part, Split
from digitd.trainer.stock import stock
from digitd.trainer.stream_run import StreamTraining

VALIDATION_ROUND = 0
"""Its scenes are those that no training ever sees; training begins with round 1."""


def train(run: Run, parts: Split, folder: RunFolder) -> dict[str, Any]:
    """Train into the run folder, from where it stands, and return the result.

    Raises:
        AudioError: a recording is damaged.
        CorpusError: a part lacks something that scenes are made of.
        TrainingError: a checkpoint is damaged, or the folder cannot be written.
    """
    if folder.result is not None:
        return folder.result
    config = run.stream
    if config is None:
        raise TrainingError(f"run {run.name!r} has no table `stream`; {run.network} hears a stream")
    if run.training.precision not in ("auto", "float32"):
        raise TrainingError(
            f"training.precision = {run.training.precision!r}: {run.network} is trained in float32; leave it out"
        )
    if config.features.frames_per_output != FRAMES_PER_OUTPUT:
        raise TrainingError(
            f"stream.features.frames_per_output = {config.features.frames_per_output} does not fit {run.network}, "
            f"which answers once in {FRAMES_PER_OUTPUT} frames; leave it out"
        )
    heard: dict[Part, Scenes] = {
        "validation": _scenes(parts.validation, folder, run, config, "validation"),
        "test": _scenes(parts.test, folder, run, config, "test"),
    }
    made_by = studio(parts.train, folder.labels, run, config, "train", with_phones=config.phone_weight > 0)
    with closing(ScenePool(made_by, os.cpu_count() or 1)) as pool:
        heard["train"] = pool.order(VALIDATION_ROUND, config.scenes_to_validate, warped=False).fetch()
        from digitd.trainer import stream_fit  # TensorFlow, after the fork

        return stream_fit.fit(run, config, folder, pool, heard, parts)


def studio(
    recordings: tuple[Recording, ...],
    labels: Sequence[str],
    run: Run,
    config: StreamTraining,
    title: str,
    *,
    with_phones: bool = False,
) -> SceneStudio:
    """What makes the scenes of a part; phones are found by processes that are forked."""
    made_of = stock(
        recordings,
        labels,
        config.features.sample_rate_hz,
        config.scenes.synthetic,
        title,
        with_phones=with_phones,
    )
    return SceneStudio(made_of, labels, config, run.seed)


def _scenes(
    recordings: tuple[Recording, ...], folder: RunFolder, run: Run, config: StreamTraining, title: str
) -> Scenes:
    """Scenes of people who are not trained on, with the same rooms and noises but unbent voices."""
    with closing(ScenePool(studio(recordings, folder.labels, run, config, title), os.cpu_count() or 1)) as pool:
        return pool.order(VALIDATION_ROUND, config.scenes_to_validate, warped=False).fetch()

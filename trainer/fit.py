"""Trains a network on examples; killed at any moment, it goes on after its last whole epoch to the very same result."""

import json
import resource
import sys
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from digitd.daemon.errors import TrainingError
from digitd.daemon.settings import as_table
from digitd.trainer import networks
from digitd.trainer.batches import batches, evenly_shared, input_s, steps
from digitd.trainer.classifier import load_network
from digitd.trainer.corpora.recording import Recording
from digitd.trainer.devices import Devices
from digitd.trainer.epochs import SaveEpoch, best_epoch, is_over, save_network
from digitd.trainer.examples import Ear, Examples
from digitd.trainer.feature_cache import FeatureCache, key_of
from digitd.trainer.optimisers import OPTIMISERS
from digitd.trainer.run_folder import RunFolder
from digitd.trainer.runfile import Run
from digitd.trainer.scores import share_right
from digitd.trainer.split import PARTS, Part, Split


def train(run: Run, parts: Split, folder: RunFolder, cache: FeatureCache, devices: Devices) -> dict[str, Any]:
    """Train into the run folder, from where it stands, and return the result; an empty one where the chief has it.

    Raises:
        AudioError: a recording is damaged.
        TrainingError: a checkpoint is damaged, the folder cannot be written, or a worker is gone or does not agree.
    """
    if folder.result is not None:
        return folder.result
    keras.utils.set_random_seed(run.seed)
    tf.config.experimental.enable_op_determinism()
    heard = {part: cache.hear(*_hearing(run, parts, part, folder), part) for part in PARTS}
    try:
        model = _fitted(run, parts, folder, heard, devices)
    except tf.errors.ResourceExhaustedError as error:
        raise TrainingError(
            f"memory or disk is full ({_reason(error)}); lower training.batch_size = {run.training.batch_size} of "
            f"{run.network}, or free the disk"
        ) from error
    except tf.errors.OpError as error:
        if devices.cluster is None:
            raise
        raise TrainingError(
            f"another worker is gone or failed ({_reason(error)}); start all of them again with --resume"
        ) from error
    peak_memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024  # of the training alone
    if not devices.is_chief:
        return {}
    save_network(folder, folder.model.name, model)
    result = _result(run, parts, heard, folder, devices) | {"peak_memory_mb": peak_memory_mb}
    folder.finish(json.dumps(result, indent=2) + "\n")
    return result


def _fitted(run: Run, parts: Split, folder: RunFolder, heard: dict[Part, Examples], devices: Devices) -> Any:
    """The trained model, of the last or the best epoch."""
    if run.training.batch_size % devices.n_replicas:
        raise TrainingError(
            f"batch_size = {run.training.batch_size} cannot be shared by {devices.n_replicas} replicas of the network; "
            "make it a multiple of them"
        )
    with devices.strategy.scope():
        model, epochs_done = _model(run, folder, len(folder.labels))
    if devices.cluster:
        keys = [key_of(*_hearing(run, parts, part, folder)) for part in PARTS]
        devices.check_agreement(epochs_done, json.dumps([as_table(run), keys]))
    if not is_over(folder.history[:epochs_done], run.training):
        _fit(model, heard, run, epochs_done, folder, devices)
    best = folder.path / "best.keras"
    return load_network(best, f"remove {folder.path} to train anew") if run.training.keep == "best" else model


def _reason(error: Any) -> str:
    """The line of TensorFlow's many that tells what happened."""
    lines: list[str] = [line.strip() for line in error.message.splitlines() if line.strip()]
    aborted = (line for line in lines if "task" in line.lower() and "aborted" in line)
    return next(aborted, lines[0] if lines else type(error).__name__)


def _hearing(
    run: Run, parts: Split, part: Part, folder: RunFolder
) -> tuple[tuple[Recording, ...], tuple[str, ...], Ear, int]:
    """Of a recording of the training part so many takes at varied speed; of another one, as it is."""
    config, trained_on = run.training, part == "train"
    ear = Ear(run.features, run.room, run.seed, config.speed_range if trained_on else 0.0)
    return getattr(parts, part), folder.labels, ear, config.takes if trained_on else 1


def _model(run: Run, folder: RunFolder, n_labels: int) -> tuple[Any, int]:
    """A new model, or the latest checkpoint's, and the number of epochs it has behind it."""
    if folder.checkpoint is not None:
        epochs_done, path = folder.checkpoint
        return load_network(path, "delete it to start this run anew"), epochs_done
    try:
        model = networks.build(run.network, (*run.features.shape, 1), n_labels, run.activations)
    except ValueError as error:
        raise TrainingError(f"{run.network} cannot see {run.features.shape} features: {error}") from error
    model.compile(
        optimizer=OPTIMISERS[run.training.optimiser](run.training.learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model, 0


def _fit(
    model: Any, heard: dict[Part, Examples], run: Run, epochs_done: int, folder: RunFolder, devices: Devices
) -> None:
    config, n_replicas = run.training, devices.n_replicas
    validation = evenly_shared(heard["validation"], n_replicas)
    callbacks: list[Any] = [SaveEpoch(folder, config, epochs_done)]
    if config.tensorboard:
        callbacks.append(keras.callbacks.TensorBoard(folder.path / "tensorboard"))
    model.fit(
        batches(heard["train"], config, run.seed, epochs_done, n_replicas),
        steps_per_epoch=steps(heard["train"], config, n_replicas),
        validation_data=(validation.features[..., np.newaxis], validation.labels),
        validation_batch_size=config.batch_size,
        initial_epoch=epochs_done,
        epochs=config.epochs,
        callbacks=callbacks,
        shuffle=False,  # `batches` does
        verbose=1 if sys.stdout.isatty() else 2,  # a bar for a person, a line an epoch for a log
    )


def _result(run: Run, parts: Split, heard: dict[Part, Examples], folder: RunFolder, devices: Devices) -> dict[str, Any]:
    """What result.json holds: the kind of split stands beside every accuracy; measured is what was saved."""
    model, history = load_network(folder.model), folder.history
    result: dict[str, Any] = {
        "split": parts.kind,
        "network": run.network,
        "parameters": model.count_params(),
        "epochs": len(history),
        "kept_epoch": best_epoch(history) if run.training.keep == "best" else len(history),
        "training_s": round(sum(float(row["wall_s"]) for row in history), 1),
        "training_cpu_s": round(sum(float(row["cpu_s"]) for row in history), 1),
        "input_s": round(input_s(heard["train"], run.training, run.seed, len(history)), 2),
        "device": devices.description,
        "precision": devices.precision,
    }
    for part, examples in heard.items():
        posteriors = model.predict(examples.features[..., np.newaxis], batch_size=256, verbose=0)
        result[part] = {
            "speakers": len({recording.speaker for recording in getattr(parts, part)}),
            "examples": len(examples.labels),
            "unheard": examples.unheard,
            "accuracy": share_right(int((posteriors.argmax(axis=1) == examples.labels).sum()), len(examples.labels)),
        }
    return result

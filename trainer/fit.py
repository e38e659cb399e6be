"""Trains a network on examples; killed at any moment, it goes on after its last whole epoch to the very same result."""

import json
import resource
import sys
import time
from typing import Any
from zipfile import BadZipFile

import keras
import numpy as np
import tensorflow as tf

from digitd.daemon.errors import TrainingError
from digitd.trainer import devices, networks
from digitd.trainer.devices import Devices
from digitd.trainer.epochs import SaveEpoch, best_epoch, is_over, save_network
from digitd.trainer.examples import Ear, Examples
from digitd.trainer.feature_cache import FeatureCache
from digitd.trainer.run_folder import RunFolder
from digitd.trainer.runfile import Run, TrainingConfig
from digitd.trainer.scores import share_right
from digitd.trainer.split import PARTS, Part, Split

OPTIMISERS = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "nadam": keras.optimizers.Nadam,
    "rmsprop": keras.optimizers.RMSprop,
    "sgd": keras.optimizers.SGD,
}


def train(run: Run, parts: Split, folder: RunFolder, cache: FeatureCache) -> dict[str, Any]:
    """Train into the run folder, from where it stands, and return the result.

    Raises:
        AudioError: a recording is damaged.
        TrainingError: a checkpoint is damaged, or the folder cannot be written.
    """
    if folder.result is not None:
        return folder.result
    keras.utils.set_random_seed(run.seed)
    tf.config.experimental.enable_op_determinism()
    heard = {part: _heard(run, parts, part, folder, cache) for part in PARTS}
    chosen = devices.choose(run.training.precision)
    with chosen.strategy.scope():
        model, epochs_done = _model(run, folder, len(folder.labels))
    if not is_over(folder.history[:epochs_done], run.training):
        _fit(model, heard["train"], heard["validation"], run, epochs_done, folder)
    if run.training.keep == "best":
        model = _loaded(folder.path / "best.keras")
    save_network(folder, "model.keras", model)
    result = _result(model, run, parts, heard, folder.history, chosen)
    folder.finish(json.dumps(result, indent=2) + "\n")
    return result


def _heard(run: Run, parts: Split, part: Part, folder: RunFolder, cache: FeatureCache) -> Examples:
    """Of a recording of the training part so many takes at varied speed; of another one, as it is."""
    config, trained_on = run.training, part == "train"
    ear = Ear(run.features, run.room, run.seed, config.speed_range if trained_on else 0.0)
    return cache.hear(getattr(parts, part), folder.labels, ear, config.takes if trained_on else 1, part)


def _model(run: Run, folder: RunFolder, n_labels: int) -> tuple[Any, int]:
    """A new model, or the latest checkpoint's, and the number of epochs it has behind it."""
    if folder.checkpoint is not None:
        epochs_done, path = folder.checkpoint
        return _loaded(path), epochs_done
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


def _loaded(path: Any) -> Any:
    try:
        return keras.saving.load_model(path)
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise TrainingError(f"{path}: damaged checkpoint ({error}); delete it to start this run anew") from error


def _fit(model: Any, train_set: Examples, validation: Examples, run: Run, epochs_done: int, folder: RunFolder) -> None:
    callbacks: list[Any] = [SaveEpoch(folder, run.training, epochs_done)]
    if run.training.tensorboard:
        callbacks.append(keras.callbacks.TensorBoard(folder.path / "tensorboard"))
    model.fit(
        batches(train_set, run.training, run.seed, epochs_done),
        steps_per_epoch=_steps(train_set, run.training),
        validation_data=(validation.features[..., np.newaxis], validation.labels),
        initial_epoch=epochs_done,
        epochs=run.training.epochs,
        callbacks=callbacks,
        shuffle=False,  # `batches` does
        verbose=1 if sys.stdout.isatty() else 2,  # a bar for a person, a line an epoch for a log
    )


def batches(examples: Examples, config: TrainingConfig, seed: int, first_epoch: int) -> Any:
    """A tf.data stream of (features, labels) from `first_epoch` on; an epoch's order hangs on seed and epoch alone."""
    features, labels = tf.constant(examples.features[..., np.newaxis]), tf.constant(examples.labels)
    n_examples = len(examples.labels)

    def epoch_of(epoch: Any) -> Any:
        order = tf.random.experimental.stateless_shuffle(
            tf.range(n_examples), seed=tf.stack([tf.cast(seed, tf.int64), epoch])
        )
        return tf.data.Dataset.from_tensor_slices(order).batch(config.batch_size)

    epochs = tf.data.Dataset.range(first_epoch, config.epochs).flat_map(epoch_of)
    return epochs.map(lambda chosen: (tf.gather(features, chosen), tf.gather(labels, chosen))).prefetch(2)


def _steps(examples: Examples, config: TrainingConfig) -> int:
    return -(-len(examples.labels) // config.batch_size)


def _input_s(examples: Examples, run: Run) -> float:
    """How long the input pipeline alone takes for one epoch."""
    began_s = time.monotonic()
    for _ in batches(examples, run.training, run.seed, run.training.epochs - 1):
        pass
    return time.monotonic() - began_s


def _result(
    model: Any, run: Run, parts: Split, heard: dict[Part, Examples], history: list[dict[str, str]], chosen: Devices
) -> dict[str, Any]:
    """What result.json holds: the kind of split stands beside every accuracy."""
    result: dict[str, Any] = {
        "split": parts.kind,
        "network": run.network,
        "parameters": model.count_params(),
        "epochs": len(history),
        "kept_epoch": best_epoch(history) if run.training.keep == "best" else len(history),
        "training_s": round(sum(float(row["wall_s"]) for row in history), 1),
        "training_cpu_s": round(sum(float(row["cpu_s"]) for row in history), 1),
        "input_s": round(_input_s(heard["train"], run) * len(history), 2),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "device": chosen.description,
        "precision": chosen.precision,
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

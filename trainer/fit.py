"""Trains a network on examples; killed at any moment, it goes on after its last whole epoch to the very same result."""

import json
import sys
from typing import Any
from zipfile import BadZipFile

import keras
import numpy as np
import tensorflow as tf

from digitd.daemon.errors import TrainingError
from digitd.trainer import networks
from digitd.trainer.examples import Ear, Examples, hear
from digitd.trainer.run_folder import RunFolder
from digitd.trainer.runfile import Run, TrainingConfig
from digitd.trainer.scores import share_right
from digitd.trainer.split import Split


def train(run: Run, parts: Split, folder: RunFolder) -> dict[str, Any]:
    """Train into the run folder, from where it stands, and return the result.

    Raises:
        AudioError: a recording is damaged.
        TrainingError: a checkpoint is damaged, or the folder cannot be written.
    """
    labels = folder.labels
    keras.utils.set_random_seed(run.seed)
    tf.config.experimental.enable_op_determinism()
    model, epochs_done = _model(run, folder, len(labels))
    ear = Ear(run.features, run.room, run.seed)
    varied = Ear(run.features, run.room, run.seed, run.training.speed_range)
    train_set = hear(parts.train, labels, varied, run.training.takes, "training")
    validation = hear(parts.validation, labels, ear, 1, "validation")
    if epochs_done < run.training.epochs:
        _fit(model, train_set, validation, run, epochs_done, folder)
    folder.write("model.keras", lambda path: model.save(path))
    test = hear(parts.test, labels, ear, 1, "test")
    result = _result(model, run, parts, {"train": train_set, "validation": validation, "test": test})
    folder.write_text("result.json", json.dumps(result, indent=2) + "\n")
    return result


def _model(run: Run, folder: RunFolder, n_labels: int) -> tuple[Any, int]:
    """A new model, or the latest checkpoint's, and the number of epochs it has behind it."""
    checkpoint = folder.checkpoint
    if checkpoint is None:
        try:
            model = networks.build(run.network, (*run.features.shape, 1), n_labels)
        except ValueError as error:
            raise TrainingError(f"{run.network} cannot see {run.features.shape} features: {error}") from error
        model.compile(
            optimizer=keras.optimizers.Adam(run.training.learning_rate),
            loss="sparse_categorical_crossentropy",
            metrics=["accuracy"],
        )
        return model, 0
    epochs_done, path = checkpoint
    try:
        return keras.saving.load_model(path), epochs_done
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise TrainingError(f"{path}: damaged checkpoint ({error}); delete it to start this run anew") from error


def _fit(model: Any, train_set: Examples, validation: Examples, run: Run, epochs_done: int, folder: RunFolder) -> None:
    model.fit(
        batches(train_set, run.training, run.seed, epochs_done),
        steps_per_epoch=-(-len(train_set.labels) // run.training.batch_size),
        validation_data=(validation.features[..., np.newaxis], validation.labels),
        initial_epoch=epochs_done,
        epochs=run.training.epochs,
        callbacks=[SaveEpoch(folder, epochs_done)],
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


class SaveEpoch(keras.callbacks.Callback):  # type: ignore[misc]
    """Keeps history and checkpoint after each epoch."""

    def __init__(self, folder: RunFolder, epochs_done: int) -> None:
        super().__init__()
        self._folder = folder
        self._history: list[dict[str, Any]] = list(folder.history[:epochs_done])

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Called by Keras with the number of the epoch that has just ended, from 0."""
        self._history.append({"epoch": epoch + 1, **{key: round(value, 6) for key, value in (logs or {}).items()}})
        self._folder.save_epoch(epoch + 1, self._history, self.model.save)


def _result(model: Any, run: Run, parts: Split, examples: dict[str, Examples]) -> dict[str, Any]:
    """What result.json holds: the kind of split stands beside every accuracy."""
    result: dict[str, Any] = {"split": parts.kind, "network": run.network, "parameters": model.count_params()}
    for part, heard in examples.items():
        posteriors = model.predict(heard.features[..., np.newaxis], batch_size=256, verbose=0)
        result[part] = {
            "speakers": len({recording.speaker for recording in getattr(parts, part)}),
            "examples": len(heard.labels),
            "unheard": heard.unheard,
            "accuracy": share_right(int((posteriors.argmax(axis=1) == heard.labels).sum()), len(heard.labels)),
        }
    return result

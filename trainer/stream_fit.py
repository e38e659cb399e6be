"""Fits a stream network to rounds of scenes; killed at any moment, it goes on after its last whole epoch."""

import json
import resource
import sys
import time
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from digitd.trainer import devices
from digitd.trainer.classifier import load_network
from digitd.trainer.corpora.phones import PHONES
from digitd.trainer.corpora.recording import Recording
from digitd.trainer.epochs import SaveEpoch, save_network
from digitd.trainer.networks import stream
from digitd.trainer.optimisers import OPTIMISERS
from digitd.trainer.run_folder import RunFolder
from digitd.trainer.runfile import Run
from digitd.trainer.scene_pool import ScenePool, Scenes
from digitd.trainer.scores import share_right
from digitd.trainer.split import PARTS, Part, Split
from digitd.trainer.stream_run import MaskConfig, StreamTraining

GRADIENT_NORM = 5.0
"""No step goes further: a batch of nothing but noise must not undo a thousand others."""


class SaveStreamEpoch(SaveEpoch):
    """Of a network that is taught phones too, the history tells of the digits."""

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Called by Keras with the number of the epoch that has just ended, from 0."""
        logs = logs or {}
        of_digits = {key.replace(f"{stream.LOGITS}_", ""): value for key, value in logs.items() if stream.LOGITS in key}
        super().on_epoch_end(epoch, of_digits or logs)


@keras.saving.register_keras_serializable("digitd")
class DigitAccuracy(keras.metrics.Mean):  # type: ignore[misc]
    """Share of the moments at which a digit is due, at which that digit leads the others."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Called by Keras with one-hot targets and logits, [batch, n_outputs, n_labels + 1]."""
        due = tf.reduce_max(y_true[..., :-1], axis=-1)
        if sample_weight is not None:
            due *= tf.cast(sample_weight > 0, due.dtype)
        right = tf.argmax(y_true[..., :-1], -1) == tf.argmax(y_pred[..., :-1], -1)
        return super().update_state(tf.cast(right, tf.float32), sample_weight=due)


def fit(
    run: Run, config: StreamTraining, folder: RunFolder, pool: ScenePool, heard: dict[Part, Scenes], parts: Split
) -> dict[str, Any]:
    """Train to the last epoch and keep network and result.

    Args:
        run: what to train.
        config: its table `stream`.
        folder: where to.
        pool: makes the scenes of the training part.
        heard: scenes of each part with unbent voices, to measure on.
        parts: what they are made of.

    Raises:
        TrainingError: a checkpoint is damaged, or the folder cannot be written.
    """
    chosen = devices.choose("float32")  # small sums over a whole scene: 16 bits gain nothing on two cores
    keras.utils.set_random_seed(run.seed)
    tf.config.experimental.enable_op_determinism()
    taught, epochs_done = _model(run, config, folder)
    waited_s = _fit(taught, run, config, folder, pool, heard["validation"], epochs_done)
    model = stream.without_phones(taught)
    peak_memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    save_network(folder, folder.model.name, model)
    result: dict[str, Any] = {
        "split": run.split.kind,
        "network": run.network,
        "parameters": model.count_params(),
        "epochs": len(folder.history),
        "kept_epoch": len(folder.history),
        "device": chosen.description,
        "precision": chosen.precision,
        "training_s": round(sum(float(row["wall_s"]) for row in folder.history), 1),
        "training_cpu_s": round(sum(float(row["cpu_s"]) for row in folder.history), 1),
        "waited_s": waited_s,
        "peak_memory_mb": peak_memory_mb,
        **{part: _counted(parts, part) | _scored(model, heard[part], len(folder.labels)) for part in PARTS},
    }
    folder.finish(json.dumps(result, indent=2) + "\n")
    return result


def _model(run: Run, config: StreamTraining, folder: RunFolder) -> tuple[Any, int]:
    if folder.checkpoint is not None:
        epochs_done, path = folder.checkpoint
        return load_network(path, "delete it to start this run anew"), epochs_done
    model = stream.build(run.network, config.features.n_mels, len(folder.labels) + 1)
    digits = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=config.label_smoothing)
    accuracy = DigitAccuracy(name="accuracy")
    objective: dict[str, Any] = {"loss": digits, "weighted_metrics": [accuracy]}
    if config.phone_weight:
        model = stream.with_phones(model, len(PHONES))
        objective = {
            "loss": [digits, keras.losses.CategoricalCrossentropy(from_logits=True)],
            "loss_weights": [1.0, config.phone_weight],
            "weighted_metrics": [[accuracy], []],
        }
    steps = run.training.epochs * (config.scenes_per_round // run.training.batch_size)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0,
        max(1, steps - config.warm_up_steps),
        warmup_target=run.training.learning_rate,
        warmup_steps=config.warm_up_steps,
    )
    decay = {"weight_decay": config.weight_decay} if config.weight_decay else {}
    model.compile(
        optimizer=OPTIMISERS[run.training.optimiser](rate, clipnorm=GRADIENT_NORM, **decay),
        **objective,
    )
    return model, 0


def _fit(
    model: Any,
    run: Run,
    config: StreamTraining,
    folder: RunFolder,
    pool: ScenePool,
    validation: Scenes,
    epochs_done: int,
) -> float:
    """Train; the seconds in which it waited for scenes."""
    saved, waited_s = SaveStreamEpoch(folder, run.training, epochs_done), 0.0
    rounds = [1 + epoch // config.epochs_per_round for epoch in range(run.training.epochs)]
    order, scenes = None, None
    validated = _weighted(validation, config, len(folder.labels))
    for epoch in range(epochs_done, run.training.epochs):
        if scenes is None or rounds[epoch] != rounds[epoch - 1]:
            order = order or pool.order(rounds[epoch], config.scenes_per_round, warped=True)
            began_s = time.monotonic()
            scenes = order.fetch()
            waited_s += time.monotonic() - began_s
            following = rounds[epoch] + 1
            order = pool.order(following, config.scenes_per_round, warped=True) if following <= rounds[-1] else None
        _seed_dropout(model, run.seed, epoch)
        model.fit(
            _batches(scenes, run, config, epoch),
            steps_per_epoch=config.scenes_per_round // run.training.batch_size,
            validation_data=validated,
            validation_batch_size=64,
            initial_epoch=epoch,
            epochs=epoch + 1,
            callbacks=[saved],
            shuffle=False,
            verbose=1 if sys.stdout.isatty() else 2,
        )
    return round(waited_s, 2)


def _seed_dropout(model: Any, seed: int, epoch: int) -> None:
    """What dropout draws in an epoch hangs on seed and epoch alone; a checkpoint does not hold its generators."""
    for number, layer in enumerate(model.layers):
        if hasattr(layer, "seed_generator"):
            layer.seed_generator.state.assign([seed, 1000 * epoch + number])


def _batches(scenes: Scenes, run: Run, config: StreamTraining, epoch: int) -> Any:
    """An epoch's batches; their order and masks hang on seed and epoch alone.

    They are cut out of the round by a generator: as tensors, TensorFlow would keep every round that ever was.
    """
    order = np.random.default_rng([run.seed, epoch]).permutation(len(scenes.targets))
    size, n_labels = run.training.batch_size, len(config.labels)
    seed = tf.constant([run.seed, epoch], tf.int32)

    def cut() -> Iterator[tuple[NDArray[np.float16], NDArray[np.int8], NDArray[np.int8]]]:
        for begin in range(0, len(order) - size + 1, size):
            chosen = order[begin : begin + size]
            yield scenes.features[chosen], scenes.targets[chosen], scenes.phones[chosen]

    def batch(number: Any, cut_out: tuple[Any, Any, Any]) -> Any:
        shown = _masked(
            tf.cast(cut_out[0], tf.float32), config.masks, seed + tf.stack([tf.cast(number, tf.int32), 0]) * 7919
        )
        return shown, *_taught(tf.cast(cut_out[1], tf.int32), tf.cast(cut_out[2], tf.int32), config, n_labels)

    signature = (
        tf.TensorSpec([size, *scenes.features.shape[1:]], tf.float16),
        tf.TensorSpec([size, *scenes.targets.shape[1:]], tf.int8),
        tf.TensorSpec([size, *scenes.phones.shape[1:]], tf.int8),
    )
    batches = tf.data.Dataset.from_generator(cut, output_signature=signature)
    return batches.enumerate().map(batch).prefetch(4)


def _taught(targets: Any, phones: Any, config: StreamTraining, n_labels: int) -> tuple[Any, Any]:
    """What is asked for and how much it weighs, of digits and, where they are taught, of phones."""
    digits, weights = _targets(targets, config.digit_weight, n_labels)
    if not config.phone_weight:
        return digits, weights
    known = tf.cast(phones >= 0, tf.float32)
    return (digits, tf.one_hot(tf.maximum(phones, 0), len(PHONES))), (weights, known)


def _targets(targets: Any, digit_weight: float, n_labels: int) -> tuple[Any, Any]:
    """One-hot targets and weights of int32 [batch, n_outputs]; a moment of which nothing is known weighs nothing."""
    weights = tf.where(targets < 0, 0.0, tf.where(targets < n_labels, digit_weight, 1.0))
    return tf.one_hot(tf.maximum(targets, 0), n_labels + 1), weights


def _masked(features: Any, masks: MaskConfig, seed: Any) -> Any:
    """Stripes of [batch, n_frames, n_mels] blanked."""
    n_scenes, n_frames, n_mels = tf.unstack(tf.shape(features))
    widths = [(masks.time_frames, n_frames)] * masks.n_time + [(masks.bands, n_mels)] * masks.n_bands
    for number, (widest, length) in enumerate(widths):
        draw = tf.random.stateless_uniform((2, n_scenes, 1), seed + number)
        begin = draw[0] * tf.cast(length, tf.float32)
        end = begin + draw[1] * (widest + 1)
        at = tf.range(tf.cast(length, tf.float32))
        kept = tf.cast((at < tf.floor(begin)) | (at >= tf.floor(end)), tf.float32)
        features *= kept[:, :, tf.newaxis] if number < masks.n_time else kept[:, tf.newaxis, :]
    return features


def _weighted(scenes: Scenes, config: StreamTraining, n_labels: int) -> tuple[Any, Any, Any]:
    targets, phones = (tf.constant(each.astype(np.int32)) for each in (scenes.targets, scenes.phones))
    return scenes.features.astype(np.float32), *_taught(targets, phones, config, n_labels)


def _counted(parts: Split, part: Part) -> dict[str, int]:
    """Of what the scenes of a part are made."""
    members: tuple[Recording, ...] = getattr(parts, part)
    return {"examples": len(members), "unheard": 0, "speakers": len({recording.speaker for recording in members})}


def _scored(model: Any, scenes: Scenes, n_labels: int) -> dict[str, Any]:
    """Of the moments at which a digit is due, how often it leads the other digits."""
    logits = model.predict(scenes.features.astype(np.float32), batch_size=64, verbose=0)
    due = (scenes.targets >= 0) & (scenes.targets < n_labels)
    right = logits[..., :-1].argmax(-1)[due] == scenes.targets[due]
    return {"scenes": len(scenes.targets), "accuracy": share_right(int(right.sum()), len(right))}

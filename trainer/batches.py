"""Examples -> the stream of batches that a training takes in."""

import dataclasses
import time
from typing import Any

import tensorflow as tf

from digitd.trainer.examples import Examples
from digitd.trainer.runfile import TrainingConfig


def batches(examples: Examples, config: TrainingConfig, seed: int, first_epoch: int, n_replicas: int = 1) -> Any:
    """A tf.data stream of (features, labels) from `first_epoch` on; an epoch's order hangs on seed and epoch alone.

    Each batch is a multiple of `n_replicas`: the last of an epoch lacks what would not share evenly.
    """
    with tf.device("CPU"):  # the whole part would fill a GPU
        features, labels = tf.constant(examples.features[..., tf.newaxis]), tf.constant(examples.labels)
    n_examples = len(examples.labels)

    def epoch_of(epoch: Any) -> Any:
        order = tf.random.experimental.stateless_shuffle(
            tf.range(n_examples), seed=tf.stack([tf.cast(seed, tf.int64), epoch])
        )
        return tf.data.Dataset.from_tensor_slices(order[: _even(n_examples, n_replicas)]).batch(config.batch_size)

    epochs = tf.data.Dataset.range(first_epoch, config.epochs).flat_map(epoch_of)
    stream = epochs.map(lambda chosen: (tf.gather(features, chosen), tf.gather(labels, chosen))).prefetch(2)
    options = tf.data.Options()
    # every worker makes the same batches, and takes its share of each
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return stream.with_options(options)


def steps(examples: Examples, config: TrainingConfig, n_replicas: int = 1) -> int:
    """How many batches an epoch has."""
    return -(-_even(len(examples.labels), n_replicas) // config.batch_size)


def evenly_shared(examples: Examples, n_replicas: int) -> Examples:
    """All but the few last examples that would not share evenly."""
    kept = _even(len(examples.labels), n_replicas)
    arrays = {name: getattr(examples, name)[:kept] for name in ("features", "labels", "sources")}
    return dataclasses.replace(examples, **arrays)


def input_s(examples: Examples, config: TrainingConfig, seed: int, n_epochs: int) -> float:
    """How long the stream of so many epochs takes with nobody training on it."""
    stream = batches(examples, dataclasses.replace(config, epochs=n_epochs), seed, 0)
    began_s = time.monotonic()
    for _ in stream:
        pass
    return time.monotonic() - began_s


def _even(n_examples: int, n_replicas: int) -> int:
    return n_examples - n_examples % n_replicas

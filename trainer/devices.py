"""What a training computes on and in: devices, several machines, precision. What was taken is always named."""

import hashlib
import os
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from digitd.daemon.errors import TrainingError
from digitd.trainer.cluster import Cluster

TENSOR_CORES = (7, 0)
"""CUDA compute capability from which 16-bit floats are faster (Volta, 2017)."""


@dataclass(frozen=True)
class Devices:
    """A tf.distribute strategy and Keras's precision policy."""

    strategy: Any
    precision: str
    description: str
    cluster: Cluster | None = None

    @property
    def is_chief(self) -> bool:
        """False in all workers of a cluster but one, who keeps the run folder."""
        return self.cluster is None or self.cluster.is_chief

    @property
    def n_replicas(self) -> int:
        """So many copies of the network each take an equal share of every batch."""
        return int(self.strategy.num_replicas_in_sync)

    def check_agreement(self, epochs_done: int, told: str) -> None:
        """Return if all workers of a cluster stand at the same epoch and were told the same.

        Raises:
            TrainingError: they do not.
        """
        digest = hashlib.sha256(f"{told} {self.precision}".encode()).digest()
        mine = [epochs_done, int.from_bytes(digest[:4])]
        standings = np.asarray(self.strategy.gather(tf.constant([mine], tf.int64), axis=0))
        epochs, told_of = (sorted(set(column.tolist())) for column in standings.T)
        if len(epochs) > 1:
            raise TrainingError(
                f"some workers have {epochs[0]} epochs behind them, some {epochs[-1]}; give all the same --out, in a "
                "folder that they share"
            )
        if len(told_of) > 1:
            raise TrainingError(
                "the workers have different run files, recordings, versions or precisions; give all of them the same"
            )


class Workers(tf.distribute.MultiWorkerMirroredStrategy):  # type: ignore[misc]
    """TensorFlow's strategy for several machines, made to take what Keras 3 hands it (keras-team/keras#20585)."""

    def reduce(self, reduce_op: Any, value: Any, axis: int | None) -> Any:
        """Keras gives a whole batch, a tuple, where TensorFlow takes one value, and names an axis of scalars."""
        one = super().reduce
        return tf.nest.map_structure(
            lambda each: one(reduce_op, each, axis if self.experimental_local_results(each)[0].shape.rank else None),
            value,
        )


def choose(precision: str, cluster: Cluster | None = None) -> Devices:
    """One device, all GPUs of the machine (MirroredStrategy), or those of all workers of a cluster.

    Keras's policy is set to `precision`.
    """
    # first: a strategy of several workers must be made before anything else asks TensorFlow for devices
    strategy = Workers() if cluster else None
    gpus = tf.config.list_physical_devices("GPU")
    chosen = _precision(precision, gpus)
    keras.mixed_precision.set_dtype_policy(chosen)
    if cluster:
        return Devices(strategy, chosen, f"{len(cluster.workers)} workers, each {_names(gpus)}", cluster)
    strategy = tf.distribute.MirroredStrategy() if len(gpus) > 1 else tf.distribute.get_strategy()
    return Devices(strategy, chosen, _names(gpus))


def _precision(asked_for: str, gpus: list[Any]) -> str:
    if asked_for != "auto":
        return asked_for
    capabilities = [tf.config.experimental.get_device_details(gpu).get("compute_capability", (0, 0)) for gpu in gpus]
    return "mixed_float16" if capabilities and min(capabilities) >= TENSOR_CORES else "float32"


def _names(gpus: list[Any]) -> str:
    if not gpus:
        return f"CPU, {os.cpu_count()} cores"
    return ", ".join(tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus)

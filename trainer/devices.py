"""What a training computes on and in: devices, several machines, precision. What was taken is always named."""

import os
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

TENSOR_CORES = (7, 0)
"""CUDA compute capability from which 16-bit floats are faster (Volta, 2017)."""


@dataclass(frozen=True)
class Devices:
    """A tf.distribute strategy and Keras's precision policy."""

    strategy: Any
    precision: str
    description: str


def choose(precision: str) -> Devices:
    """One device, or all GPUs of the machine (MirroredStrategy), with `precision` set as Keras's policy."""
    gpus = tf.config.list_physical_devices("GPU")
    chosen = _precision(precision, gpus)
    keras.mixed_precision.set_dtype_policy(chosen)
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

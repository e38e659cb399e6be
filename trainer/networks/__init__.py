"""Networks, one a file; each offers `build(input_shape, n_labels) -> keras.Model`."""

import importlib
from typing import Any

NETWORKS = ("final64",)


def build(name: str, input_shape: tuple[int, int, int], n_labels: int) -> Any:
    """A new Keras model of one of NETWORKS: [batch, n_mels, n_frames, 1] -> posteriors [batch, n_labels]."""
    return importlib.import_module(f"digitd.trainer.networks.{name}").build(input_shape, n_labels)

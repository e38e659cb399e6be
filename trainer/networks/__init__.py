"""Networks, one a file; each offers `build(input_shape, n_labels) -> keras.Model`."""

import importlib
from typing import Any

from digitd.daemon.errors import TrainingError
from digitd.daemon.settings import nearest

NETWORKS = ("final64",)


def build(name: str, input_shape: tuple[int, int, int], n_labels: int) -> Any:
    """A new Keras model: [batch, n_mels, n_frames, 1] -> posteriors [batch, n_labels].

    Raises:
        TrainingError: no such network.
    """
    if name not in NETWORKS:
        raise TrainingError(f"no network {name!r}{nearest(name, NETWORKS)}")
    return importlib.import_module(f"digitd.trainer.networks.{name}").build(input_shape, n_labels)

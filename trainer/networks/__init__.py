"""Networks, one a file; each offers `build(input_shape, n_labels, activations) -> keras.Model`."""

import importlib
from typing import Any

from digitd.trainer.networks.activations import Activations

NETWORKS = ("dense", "conv1", "conv2", "conv3", "final64")
STREAM_NETWORKS = ("pooled", "pooled_brief", "pooled_broad", "tempo", "tempo_small", "separable")
"""Those that hear a stream: see `stream`."""
FRAMES_PER_OUTPUT = 4
"""They stride twice by two: with a hop of 10 ms, an answer each 40 ms."""


def build(name: str, input_shape: tuple[int, int, int], n_labels: int, activations: Activations) -> Any:
    """A new Keras model of one of NETWORKS: [batch, n_mels, n_frames, 1] -> posteriors [batch, n_labels]."""
    return importlib.import_module(f"digitd.trainer.networks.{name}").build(input_shape, n_labels, activations)

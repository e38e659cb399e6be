"""The founding study's network of one convolution: 130,067,786 parameters on 128 x 128 mel spectrograms, ten digits."""

from typing import Any

from digitd.trainer.networks.activations import Activations
from digitd.trainer.networks.stack import POOL, stack


def build(input_shape: tuple[int, int, int], n_labels: int, activations: Activations) -> Any:
    """Conv 32 - pool - dense 1024 - posteriors."""
    return stack("conv1", input_shape, n_labels, activations, convolutions=(32, POOL), dense=(1024,))

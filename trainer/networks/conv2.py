"""The founding study's network of two convolutions: 59,012,490 parameters on 128 x 128 mel spectrograms, ten digits."""

from typing import Any

from digitd.trainer.networks.activations import Activations
from digitd.trainer.networks.stack import POOL, stack


def build(input_shape: tuple[int, int, int], n_labels: int, activations: Activations) -> Any:
    """Conv 32 - pool - conv 64 - pool - dense 1024 - posteriors."""
    return stack("conv2", input_shape, n_labels, activations, convolutions=(32, POOL, 64, POOL), dense=(1024,))

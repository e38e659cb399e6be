"""The founding study's final network: 6,446,986 parameters on 64 x 64 mel spectrograms, ten digits."""

from typing import Any

from digitd.trainer.networks.activations import Activations
from digitd.trainer.networks.stack import POOL, stack


def build(input_shape: tuple[int, int, int], n_labels: int, activations: Activations) -> Any:
    """Conv 32 - pool - conv 64 - pool - dense 512 - posteriors."""
    return stack("final64", input_shape, n_labels, activations, convolutions=(32, POOL, 64, POOL), dense=(512,))

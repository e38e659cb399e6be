"""The founding study's network of three convolutions: 26,313,738 parameters on 64 x 64 mel spectrograms, ten digits."""

from typing import Any

from digitd.trainer.networks.activations import Activations
from digitd.trainer.networks.stack import POOL, stack


def build(input_shape: tuple[int, int, int], n_labels: int, activations: Activations) -> Any:
    """Conv 32 - conv 64 - pool - conv 128 - pool - dense 1024 - dense 512 - posteriors."""
    return stack("conv3", input_shape, n_labels, activations, convolutions=(32, 64, POOL, 128, POOL), dense=(1024, 512))

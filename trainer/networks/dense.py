"""The founding study's first network: 16,788,490 parameters on 128 x 128 mel spectrograms, ten digits."""

from typing import Any

from digitd.trainer.networks.activations import Activations
from digitd.trainer.networks.stack import stack


def build(input_shape: tuple[int, int, int], n_labels: int, activations: Activations) -> Any:
    """Dense 1024 - posteriors."""
    return stack("dense", input_shape, n_labels, activations, dense=(1024,))

"""Which activation functions a network is built with."""

from dataclasses import dataclass
from typing import Literal

Activation = Literal["relu", "sigmoid", "tanh", "elu", "gelu", "silu"]


@dataclass(frozen=True)
class Activations:
    """One choice for each kind of layer."""

    convolution: Activation = "relu"
    dense: Activation = "relu"
    output: Literal["softmax", "sigmoid"] = "softmax"
    """`sigmoid`: the cross-entropy loss divides the ten outputs by their sum; what comes out is no distribution."""

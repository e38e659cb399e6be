"""The founding study's pattern: convolutions and pools in a row, then dense layers."""

from collections.abc import Sequence
from typing import Any, Literal

import keras

from digitd.trainer.networks.activations import Activations

POOL: Literal["pool"] = "pool"


def stack(
    name: str,
    input_shape: tuple[int, int, int],
    n_labels: int,
    activations: Activations,
    *,
    convolutions: Sequence[int | Literal["pool"]] = (),
    dense: Sequence[int],
) -> Any:
    """A Keras model; `convolutions` gives the channels of each 3 x 3 convolution or POOL (2 x 2), `dense` the units."""
    layers = keras.layers
    features = keras.Input(input_shape, name="features")
    x = features
    for channels in convolutions:
        if channels == POOL:
            x = layers.MaxPooling2D(2)(x)
        else:
            x = layers.Conv2D(channels, 3, activation=activations.convolution)(x)
    x = layers.Flatten()(x)
    for units in dense:
        x = layers.Dense(units, activation=activations.dense)(x)
    # posteriors are float32 also where the layers before compute in 16 bits
    posteriors = layers.Dense(n_labels, activation=activations.output, name="posteriors", dtype="float32")(x)
    return keras.Model(features, posteriors, name=name)

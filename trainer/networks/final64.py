"""The founding study's final network: 6,446,986 parameters on 64 x 64 mel spectrograms of ten digits."""

from typing import Any

import keras


def build(input_shape: tuple[int, int, int], n_labels: int) -> Any:
    """Conv 32 - pool - conv 64 - pool - dense 512 - softmax."""
    layers = keras.layers
    features = keras.Input(input_shape, name="features")
    x = layers.Conv2D(32, 3, activation="relu")(features)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Conv2D(64, 3, activation="relu")(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(512, activation="relu")(x)
    posteriors = layers.Dense(n_labels, activation="softmax", name="posteriors")(x)
    return keras.Model(features, posteriors, name="final64")

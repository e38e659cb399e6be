"""Depthwise-separable temporal convolutions, 1.7 s deep; after DS-CNN (Zhang and others, 2017)."""

from typing import Any

import keras

from digitd.trainer.networks.stream import Past, front

DILATIONS = (1, 1, 2, 2, 2, 4, 4, 4)
KERNEL = 5
WIDTH = 128


def layers(frames: Any, n_outputs: int, past: Past) -> Any:
    """Front of (24, 32) channels, eight separable residual convolutions, one logit an output."""
    x = front(frames, past, (24, 32), WIDTH)
    for dilation in DILATIONS:
        longer = past.before(x, (KERNEL - 1) * dilation)
        y = keras.layers.DepthwiseConv1D(KERNEL, dilation_rate=dilation, use_bias=False)(longer)
        y = keras.layers.Dense(WIDTH, use_bias=False)(keras.layers.BatchNormalization()(y))
        y = keras.layers.BatchNormalization()(y)
        x = keras.layers.SpatialDropout1D(0.1)(keras.layers.ReLU()(keras.layers.Add()([x, y])))
    return keras.layers.Dense(n_outputs, name="logits")(x)

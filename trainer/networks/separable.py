"""Depthwise-separable temporal convolutions, 1.7 s deep; after DS-CNN (Zhang and others, 2017)."""

from typing import Any

import keras

from digitd.trainer.networks.stream import Past, added, batch_normalised, front, logits

DILATIONS = (1, 1, 2, 2, 2, 4, 4, 4)
KERNEL = 5
WIDTH = 128


def layers(frames: Any, n_outputs: int, past: Past) -> Any:
    """Front of (24, 32) channels, eight separable residual convolutions, one logit an output."""
    x = front(frames, past, (24, 32), WIDTH)
    for dilation in DILATIONS:
        longer = past.before(x, (KERNEL - 1) * dilation)
        y = keras.layers.DepthwiseConv2D((KERNEL, 1), dilation_rate=(dilation, 1), use_bias=False)(longer)
        y = keras.layers.Conv2D(WIDTH, 1, use_bias=False)(batch_normalised(y))
        x = added(x, batch_normalised(y), dropout=0.1)
    return logits(x, n_outputs)

"""Temporal convolutions of 96 channels with a residual path, then what was loudest and usual in the last 0.7 s.

After TC-ResNet (Choi and others, 2019). The pools let the last layer ask whether a sound was there, wherever it was:
after one and three epochs on the same 20,000 scenes it had 79 and 89 % of their digits right, `tempo` 73 and 86 %.
"""

from typing import Any

import keras

from digitd.trainer.networks.stream import Past, front, joined, logits, normalised, residual

WIDTH = 96
DILATIONS = (1, 1, 2, 2, 4, 4)
POOLED_OUTPUTS = 18


def layers(frames: Any, n_outputs: int, past: Past) -> Any:
    """Front of (24, 32) channels, six residual convolutions, pools over 18 outputs, one logit an output."""
    return pooled_over(POOLED_OUTPUTS, frames, n_outputs, past)


def pooled_over(pooled_outputs: int, frames: Any, n_outputs: int, past: Past, width: int = WIDTH) -> Any:
    """The same with pools over so many outputs, and of so many channels."""
    x = front(frames, past, (24, 32), width)
    for dilation in DILATIONS:
        x = residual(x, past, dilation)
    recent = past.before(x, pooled_outputs - 1)
    loudest = keras.layers.MaxPooling2D((pooled_outputs, 1), 1)(recent)
    usual = keras.layers.AveragePooling2D((pooled_outputs, 1), 1)(recent)
    x = joined([x, loudest, usual])
    x = keras.layers.Dropout(0.2)(normalised(keras.layers.Conv2D(width, 1, use_bias=False)(x)))
    return logits(x, n_outputs)

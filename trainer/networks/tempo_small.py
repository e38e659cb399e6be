"""Temporal convolutions of 56 channels with a residual path, 1.5 s deep; after TC-ResNet (Choi and others, 2019)."""

from typing import Any

from digitd.trainer.networks.stream import Past, front, logits, residual

DILATIONS = (1, 1, 2, 2, 4, 4, 4)


def layers(frames: Any, n_outputs: int, past: Past) -> Any:
    """Front of (16, 24) channels, seven residual convolutions, one logit an output."""
    x = front(frames, past, (16, 24), 56)
    for dilation in DILATIONS:
        x = residual(x, past, dilation)
    return logits(x, n_outputs)

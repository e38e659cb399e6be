"""Networks that hear a stream: the one that steps through a live one, and several in one, answer as when trained."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from digitd.trainer.networks import FRAMES_PER_OUTPUT, STREAM_NETWORKS

pytestmark = pytest.mark.train
N_MELS, N_OUTPUTS = 40, 11


def network(name: str, seed: int) -> Any:
    """With weights, also those of its normalisation, as if it had been trained."""
    from digitd.trainer.networks import stream

    model, generator = stream.build(name, N_MELS, N_OUTPUTS), np.random.default_rng(seed)
    model.set_weights(
        [w + (0.1 * w + 0.02) * generator.standard_normal(w.shape).astype(np.float32) for w in model.get_weights()]
    )
    return model


def logits(model: Any, frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32 [n_outputs, N_OUTPUTS]."""
    found: NDArray[np.float32] = np.asarray(model(frames[np.newaxis], training=False))[0]
    return found


def softmax(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of each row."""
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    shares: NDArray[np.float32] = powers / powers.sum(axis=1, keepdims=True)
    return shares


@pytest.fixture
def frames() -> NDArray[np.float32]:
    return 3 * np.random.default_rng(0).random((200, N_MELS), np.float32)


@pytest.mark.parametrize("names", [*((name,) for name in STREAM_NETWORKS), ("pooled_brief", "tempo"), ("tempo",) * 3])
def test_stepping_through_a_stream_answers_as_on_the_whole(
    names: tuple[str, ...], frames: NDArray[np.float32], tmp_path: Path
) -> None:
    from digitd.export import stream_convert
    from digitd.trainer.networks import stream

    models = [network(name, seed) for seed, name in enumerate(names)]
    together = stream.together(models)
    wanted = np.mean([logits(model, frames) for model in models], axis=0)
    assert np.abs(logits(together, frames) - wanted).max() < 1e-5
    posteriors = softmax(wanted)
    assert posteriors.max() < 0.999
    assert posteriors.std(axis=0).max() > 0.003  # they tell something of the frames
    size = stream_convert.to_onnx(together, tmp_path / "network.onnx")
    for n_outputs in (1, 5):
        found = stream_convert.stepped(tmp_path / "network.onnx", frames, size, n_outputs * FRAMES_PER_OUTPUT)
        assert np.abs(found - posteriors).max() < 1e-5

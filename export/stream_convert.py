"""A trained stream network -> ONNX that steps through a live stream, its confidence calibrated."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import tensorflow as tf
import tf2onnx
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from digitd.daemon.errors import ExportError
from digitd.daemon.session import ONNX_ERRORS, open_session
from digitd.daemon.spotter import NEXT_STATE, STATE
from digitd.daemon.stream_features import MelFrames
from digitd.export.convert import OPSET, OUTPUT
from digitd.export.parity import TOLERANCE
from digitd.trainer.networks import stream
from digitd.trainer.scene_pool import Scenes

INPUT = "frames"


def temperature(trained: Any, scenes: Scenes, n_labels: int) -> float:
    """By which logits are divided so that posteriors are as sure as they are right (Guo and others, 2017).

    The one under which the targets of scenes that were not trained on are likeliest.
    """
    logits = trained.predict(scenes.features.astype(np.float32), batch_size=64, verbose=0).astype(np.float64)
    due = (scenes.targets >= 0) & (scenes.targets <= n_labels)
    logits, targets = logits[due], scenes.targets[due].astype(int)

    def surprise(divisor: float) -> float:
        scaled = logits / divisor
        peak = scaled.max(axis=1, keepdims=True)
        log_sum = np.log(np.exp(scaled - peak).sum(axis=1)) + peak[:, 0]
        return float((log_sum - scaled[np.arange(len(targets)), targets]).mean())

    return float(minimize_scalar(surprise, bounds=(0.2, 5.0), method="bounded").x)


def calibrated(trained: Any, divisor: float) -> Any:
    """The same network with its logits divided."""
    model = keras.models.clone_model(trained)
    model.set_weights(trained.get_weights())
    layer = model.get_layer(stream.LOGITS)
    layer.set_weights([weights / divisor for weights in layer.get_weights()])
    return keras.Model(model.input, model.output, name=trained.name)


def to_onnx(trained: Any, path: Path) -> int:
    """Write (frames [batch, n_frames, n_mels], state) -> (posteriors, next_state), and return the state's size."""
    stepping = stream.stepping(trained)
    (_, _, n_mels), (_, state_size) = stepping.input_shape

    def step(frames: Any, state: Any) -> dict[str, Any]:
        posteriors, next_state = stepping([frames, state], training=False)
        return {OUTPUT: posteriors, NEXT_STATE: next_state}

    signature = [
        tf.TensorSpec([None, None, n_mels], tf.float32, name=INPUT),
        tf.TensorSpec([None, state_size], tf.float32, name=STATE),
    ]
    function = tf.function(step, input_signature=signature)
    graph, _ = tf2onnx.convert.from_function(function, input_signature=signature, opset=OPSET)
    onnx.save(graph, path)
    return int(state_size)


def stepped(path: Path, frames: MelFrames, state_size: int, frames_per_step: int) -> NDArray[np.float32]:
    """Posteriors of float32 [n_frames, n_mels], so many frames at a time, as the daemon runs the file.

    Raises:
        ExportError: ONNX Runtime cannot run the file.
    """
    found, state = [], np.zeros((1, state_size), np.float32)
    try:
        session = open_session(path, "cpu")
        for n in range(0, len(frames) - frames_per_step + 1, frames_per_step):
            feeds = {INPUT: frames[np.newaxis, n : n + frames_per_step], STATE: state}
            posteriors, state = session.run([OUTPUT, NEXT_STATE], feeds)
            found.append(posteriors[0])
    except ONNX_ERRORS as error:
        reason = " ".join(str(error).split())
        raise ExportError(f"the converted network does not run ({reason}); use layers that tf2onnx converts") from error
    return np.concatenate(found)


def check(trained: Any, path: Path, scenes: Scenes, state_size: int, frames_per_step: int, n_scenes: int = 20) -> float:
    """The largest difference between the Keras model on whole scenes and the file stepping through them.

    Raises:
        ExportError: it is above TOLERANCE, or the file does not run.
    """
    features = scenes.features[:n_scenes].astype(np.float32)
    wanted = keras.ops.convert_to_numpy(keras.ops.softmax(trained(features, training=False)))
    found = np.stack([stepped(path, scene, state_size, frames_per_step) for scene in features])
    difference = float(np.abs(found - wanted).max())
    if not difference <= TOLERANCE:
        raise ExportError(
            f"the converted network differs from Keras by {difference:.2g}, allowed are {TOLERANCE:g}; use layers that "
            "tf2onnx converts faithfully"
        )
    return difference

"""Keras -> ONNX, with a dynamic batch and named input and output."""

from pathlib import Path
from typing import Any

import onnx
import tensorflow as tf
import tf2onnx

INPUT = "features"
OUTPUT = "posteriors"
OPSET = 17


def to_onnx(model: Any, path: Path) -> None:
    """Write float32 [batch, ...] -> float32 [batch, n_labels].

    tf2onnx writes a file even where an operation could not be converted: `parity.check` is what tells.
    """

    def answer(features: Any) -> dict[str, Any]:
        return {OUTPUT: model(features, training=False)}

    signature = [tf.TensorSpec([None, *model.input_shape[1:]], tf.float32, name=INPUT)]
    graph, _ = tf2onnx.convert.from_function(
        tf.function(answer, input_signature=signature), input_signature=signature, opset=OPSET
    )
    for value in (*graph.graph.input, *graph.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    onnx.save(graph, path)

"""Smaller weights in the same graph: stored as float16 or int8, unpacked to float32 when the daemon loads them."""

from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

Weights = Literal["float32", "float16", "int8"]

SMALLEST = 1024
"""Tensors of fewer values (biases) stay float32."""


def store(source: Path, target: Path, weights: Weights) -> None:
    """Copy an ONNX file with its large float32 tensors stored as `weights`."""
    model = onnx.load(source)
    graph = model.graph
    unpacking = []
    for tensor in list(graph.initializer):
        values = numpy_helper.to_array(tensor)
        if weights == "float32" or values.dtype != np.float32 or values.size < SMALLEST:
            continue
        graph.initializer.remove(tensor)
        stored, node = _as_float16(tensor.name, values) if weights == "float16" else _as_int8(tensor.name, values)
        graph.initializer.extend(stored)
        unpacking.append(node)
    for node in unpacking:  # before the nodes that use them
        graph.node.insert(0, node)
    onnx.checker.check_model(model)
    onnx.save(model, target)


def _as_float16(name: str, values: NDArray[np.float32]) -> tuple[list[onnx.TensorProto], onnx.NodeProto]:
    packed = f"{name}/float16"
    node = helper.make_node("Cast", [packed], [name], to=onnx.TensorProto.FLOAT)
    return [numpy_helper.from_array(values.astype(np.float16), packed)], node


def _as_int8(name: str, values: NDArray[np.float32]) -> tuple[list[onnx.TensorProto], onnx.NodeProto]:
    """Symmetric, one scale for each output channel: axis 0 of a convolution's kernel, axis 1 of a matrix."""
    axis = 1 if values.ndim == 2 else 0
    others = tuple(n for n in range(values.ndim) if n != axis)
    scale = np.maximum(np.abs(values).max(axis=others, keepdims=True) / 127, np.finfo(np.float32).tiny)
    packed, scales = f"{name}/int8", f"{name}/scale"
    node = helper.make_node("DequantizeLinear", [packed, scales], [name], axis=axis)
    stored = [
        numpy_helper.from_array(np.round(values / scale).astype(np.int8), packed),
        numpy_helper.from_array(scale.ravel().astype(np.float32), scales),
    ]
    return stored, node

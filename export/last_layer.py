"""The last layer of a released network that hears a stream: what it is shown, its weights, others in their place."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from digitd.daemon.errors import ExportError

Weights = NDArray[np.float64]
"""float64 [n_inputs + 1, n_outputs]: the kernel, and in the last row the bias."""
PASSED_THROUGH = ("Reshape", "Identity", "Squeeze", "Unsqueeze", "Flatten")
"""Nodes that change the form alone."""
ENROLLED = "enrolled/kernel"


@dataclass(frozen=True)
class LastLayer:
    """Softmax(hidden x kernel + bias) at the end of a graph."""

    model: Any
    """The whole graph, an ONNX ModelProto."""
    hidden: str
    """Name of what the layer is shown, float32 [batch, n_outputs, n_inputs]."""
    product: Any
    """The node that multiplies."""
    bias_name: str
    weights: Weights

    def exposing(self, path: Path) -> None:
        """Write the graph with `hidden` as one more output."""
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        shape = [None, None, len(self.weights) - 1]
        model.graph.output.append(helper.make_tensor_value_info(self.hidden, onnx.TensorProto.FLOAT, shape))
        onnx.save(model, path)

    def replaced(self, path: Path, weights: Weights) -> None:
        """Write the graph with other weights in this layer, stored as float32."""
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        graph, old = model.graph, self.product.input[1]
        product = next(node for node in graph.node if node.output == self.product.output)
        product.input[1] = ENROLLED
        bias = next(tensor for tensor in graph.initializer if tensor.name == self.bias_name)
        bias.CopyFrom(numpy_helper.from_array(weights[-1].astype(np.float32), self.bias_name))
        graph.initializer.append(numpy_helper.from_array(weights[:-1].astype(np.float32), ENROLLED))
        _forget(graph, old)
        onnx.checker.check_model(model)
        onnx.save(model, path)


def read(path: Path, output: str) -> LastLayer:
    """The last layer of an ONNX file whose posteriors are called `output`.

    Raises:
        ExportError: the file does not end in a softmax over a dense layer.
    """
    model = onnx.load(path)
    made_by = {name: node for node in model.graph.node for name in node.output}
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    try:
        softmax = _expected(made_by[output], "Softmax")
        add = _expected(made_by[softmax.input[0]], "Add")
        bias_name, summed = sorted(add.input, key=lambda name: name not in constants)
        product = _expected(_source(made_by, summed), "MatMul")
        kernel = _constant(made_by, constants, product.input[1])
        bias = numpy_helper.to_array(constants[bias_name])
        hidden = product.input[0]
        while made_by[hidden].op_type in PASSED_THROUGH:
            hidden = made_by[hidden].input[0]
    except (KeyError, ValueError) as error:
        raise ExportError(
            f"{path}: does not end in a dense layer and a softmax ({error}); a network of another form cannot be "
            "enrolled into: leave out --enrol"
        ) from error
    weights = np.concatenate([kernel, bias.reshape(1, -1)]).astype(np.float64)
    return LastLayer(model, hidden, product, bias_name, weights)


def _expected(node: Any, kind: str) -> Any:
    if node.op_type != kind:
        raise ValueError(f"{node.op_type} where {kind} should be")
    return node


def _source(made_by: dict[str, Any], name: str) -> Any:
    """The node that made a tensor, whatever changed its form since."""
    while made_by[name].op_type in PASSED_THROUGH:
        name = made_by[name].input[0]
    return made_by[name]


def _constant(made_by: dict[str, Any], constants: dict[str, Any], name: str) -> NDArray[np.float32]:
    """The values of a kernel, however they are stored: see `weights`."""
    if name in constants:
        return np.asarray(numpy_helper.to_array(constants[name]), np.float32)
    unpacking = made_by[name]
    packed, *scale = (numpy_helper.to_array(constants[each]).astype(np.float32) for each in unpacking.input)
    if unpacking.op_type == "Cast":
        return packed
    _expected(unpacking, "DequantizeLinear")
    return np.asarray(packed * scale[0], np.float32)  # of a matrix the scales belong to its columns


def _forget(graph: Any, name: str) -> None:
    """Take out a constant, or the node that unpacks it and what that unpacks, unless something else uses it."""
    if any(name in node.input for node in graph.node):
        return
    for node in [node for node in graph.node if name in node.output]:
        graph.node.remove(node)
        for each in node.input:
            _forget(graph, each)
    for tensor in [tensor for tensor in graph.initializer if tensor.name == name]:
        graph.initializer.remove(tensor)

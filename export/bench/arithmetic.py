"""How much arithmetic a network is, read off its own run: ONNX Runtime's profile tells every operator's shapes."""

import json
import math
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

PRODUCTS = ("MatMul", "FusedMatMul", "Gemm")
CONVOLUTIONS = ("Conv", "FusedConv")


@dataclass(frozen=True)
class Arithmetic:
    """Of one call of a network."""

    multiply_adds: int
    weight_bytes: int
    """Of its weights as they are multiplied with: float32."""
    operators: int
    """So many are run one after the other."""


def of(path: Path, feeds: dict[str, NDArray[np.float32]]) -> Arithmetic:
    """Of one call with these inputs."""
    import onnxruntime as ort

    with tempfile.TemporaryDirectory(prefix="digitd-") as folder:
        options = ort.SessionOptions()
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        options.intra_op_num_threads = 1
        options.add_session_config_entry("session.disable_prepacking", "1")  # a packed weight has no shape any more
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC  # later ones change the layout
        session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        session.run(None, feeds)
        events = json.loads(Path(session.end_profiling()).read_text())
    operators = [
        event["args"] for event in events if event.get("cat") == "Node" and "output_type_shape" in event["args"]
    ]
    return Arithmetic(sum(map(_multiply_adds, operators)), 4 * sum(map(_weights, operators)), len(operators))


def _multiply_adds(operator: dict[str, Any]) -> int:
    outputs, inputs = _shapes(operator["output_type_shape"]), _shapes(operator["input_type_shape"])
    if operator["op_name"] in PRODUCTS:
        return math.prod(outputs[0]) * inputs[0][-1]
    if operator["op_name"] in CONVOLUTIONS:
        return math.prod(outputs[0]) * math.prod(inputs[1][1:])
    return 0


def _weights(operator: dict[str, Any]) -> int:
    if operator["op_name"] in (*PRODUCTS, *CONVOLUTIONS):
        return math.prod(_shapes(operator["input_type_shape"])[1])
    return 0


def _shapes(told: Iterable[dict[str, list[int]]]) -> list[list[int]]:
    return [shape for each in told for shape in each.values()]

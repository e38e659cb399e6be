"""What runs in the place of Triton's ONNX backend, which the wheel has not: the network beside this file."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import triton_python_backend_utils as backend


class TritonPythonModel:
    """The steps that Triton put together, in one run."""

    def initialize(self, _arguments: dict[str, str]) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(Path(__file__).with_name("model.onnx"), options)
        self._inputs = [tensor.name for tensor in self._session.get_inputs()]
        self._outputs = [tensor.name for tensor in self._session.get_outputs()]

    def execute(self, requests: list[Any]) -> list[Any]:
        arrays = {
            name: [backend.get_input_tensor_by_name(request, name).as_numpy() for request in requests]
            for name in self._inputs
        }
        found = self._session.run(self._outputs, {name: np.concatenate(each) for name, each in arrays.items()})
        ends = np.cumsum([len(array) for array in arrays[self._inputs[0]]])[:-1]
        parts = zip(*(np.split(array, ends) for array in found), strict=True)
        return [backend.InferenceResponse(list(map(backend.Tensor, self._outputs, part))) for part in parts]

"""A trained run -> ONNX -> parity with Keras -> smaller weights -> evaluation -> a released bundle."""

"""What a bundle's network runs on: ONNX Runtime here, or servers of the KServe protocol elsewhere."""

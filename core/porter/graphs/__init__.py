"""Two ONNX graphs that should compute the same: where they part."""

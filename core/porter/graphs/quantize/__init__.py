"""int8: static quantisation of an ONNX graph, and which of its nodes it hurts most."""

"""Any PyTorch module for porter."""

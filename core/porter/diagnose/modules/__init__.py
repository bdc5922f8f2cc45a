"""A PyTorch module and the graph exported from it, module by module."""

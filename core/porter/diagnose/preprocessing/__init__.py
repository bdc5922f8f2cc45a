"""Tensors that are not those of the reference pipeline: which fault explains it."""

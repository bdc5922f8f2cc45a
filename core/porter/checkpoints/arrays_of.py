"""Turn a tensor of a checkpoint into the type that the model has for it, where that loses nothing that matters."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor

COUNTER = "num_batches_tracked"
"""Buffer of a batch norm that counts training batches. Files from before torch 0.4.1 lack it; inference ignores it."""


def is_counter(name: str) -> bool:
    """Is `name` the batch counter of a batch norm?"""
    return name.rpartition(".")[2] == COUNTER


def shape_of(tensor: Tensor) -> tuple[int, ...] | None:
    """The shape, or None for a nested tensor, which has none."""
    return None if tensor.is_nested else tuple(tensor.shape)


def dtype_name(dtype: torch.dtype) -> str:
    """`float32` for `torch.float32`."""
    return str(dtype).removeprefix("torch.")


def kind_fault(name: str, tensor: Tensor, target: Tensor) -> str:
    """Why `tensor` cannot stand for `target`, whatever its shape; empty where it can.

    Floating-point tensors stand for each other, and so do integers, bools and complex numbers, each among their like.
    Types of 8 bits and fewer are refused: their values mean nothing without the scales that are kept elsewhere.
    """
    import torch

    if tensor.is_nested:
        return "is a nested tensor"
    if tensor.is_quantized:
        return f"is quantised ({dtype_name(tensor.dtype)}). Save the model before quantisation"
    if tensor.layout != torch.strided:
        return f"is sparse ({dtype_name(tensor.dtype)}). Save it dense"
    if tensor.is_meta:
        return "has a shape but no values (device meta)"
    floats = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
    if tensor.dtype in floats and (target.dtype in floats or is_counter(name)):
        return ""
    if tensor.is_floating_point() or target.is_floating_point() or _kind(tensor) != _kind(target):
        return f"is {dtype_name(tensor.dtype)}, should be {dtype_name(target.dtype)}"
    return ""


def _kind(tensor: Tensor) -> str:
    import torch

    if tensor.is_complex():
        return "complex"
    return "bool" if tensor.dtype == torch.bool else "integer"


def value_fault(tensor: Tensor, ready: Tensor) -> str:
    """What is wrong with the values of `tensor`, converted to `ready`; empty where nothing is."""
    import torch

    if not torch.isfinite(tensor).all():
        return "contains NaN or infinity"
    # Averaged checkpoints hold fractional batch counts; floats only stand for integers there.
    inexact = not (tensor.is_floating_point() or tensor.is_complex()) and not torch.equal(
        ready.to(tensor.dtype), tensor
    )
    if inexact or not torch.isfinite(ready).all():
        return f"contains values beyond the range of the model's {dtype_name(ready.dtype)}"
    return ""

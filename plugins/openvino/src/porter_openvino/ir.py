"""OpenVINO's own form of a model, the IR: a graph (`.xml`) and its weights (`.bin`), always in float32."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from porter import BadInput, is_full_disk, one_line, whole_file
from porter_openvino.compiling import import_openvino, read_model, reason

WIDE = ("fp32", "int8")
"""Precisions of which OpenVINO must compute nothing in half precision."""
TEXT_BYTES = 4096
"""Of one operation in an IR, at most; a large network with many branches takes 470."""


def require_wide(model: Any, onnx: Path, precision: str) -> None:
    """Raise `BadInput` for an input or output in float16, around which OpenVINO would compute in float16."""
    half = [
        port.get_any_name()
        for port in (*model.inputs, *model.outputs)
        if port.get_element_type().get_type_name() == "f16"
    ]
    if half:
        raise BadInput(
            f"{onnx}: {one_line(', '.join(half))} is float16, around which OpenVINO computes in float16 and not in the "
            f"{precision} that this CPU offers for it. Give the model float32 inputs and outputs"
        )


def name_outputs(model: Any, names: Sequence[str], onnx: Path) -> None:
    """Give each result the output's name: a tensor of an IR can have several names, in no order.

    The results stay in the order of the file, whatever that of `names`.
    """
    results = model.get_results()
    found = [result.get_output_tensor(0).get_names() for result in results]
    own = _in_order(found, names)
    if own is None:
        shown = ", ".join("/".join(sorted(known)) for known in found)
        raise BadInput(f"{onnx}: OpenVINO reads the outputs {one_line(shown)}, the model has {', '.join(names)}")
    for result, name in zip(results, own, strict=True):
        result.set_friendly_name(name)


def _in_order(found: Sequence[set[str]], names: Sequence[str]) -> Sequence[str] | None:
    """`names` in the order of the results, of which each has one or several; None where they do not go together."""
    if len(found) != len(names):
        return None
    if all(name in known for name, known in zip(names, found, strict=True)):
        return names
    named = [next((name for name in names if name in known), "") for known in found]
    return named if sorted(named) == sorted(names) else None


def fix_batch(model: Any, batch: int, label: str) -> None:
    """Fix the first dimension of every input to `batch`."""
    shapes = {}
    for port in model.inputs:
        shape = port.get_partial_shape()
        shape[0] = batch
        shapes[port] = shape
    try:
        model.reshape(shapes)
    except RuntimeError as error:
        raise BadInput(f"{label}: OpenVINO cannot fix its batch to {batch}: {reason(error)}") from None


def save(model: Any, target: Path, weights: Path) -> None:
    """Write the IR and read it back. Either file appears whole, and the graph only beside its own weights."""
    try:
        target.unlink(missing_ok=True)
        with (
            tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.", suffix=".part") as place,
            whole_file(target) as graph_file,
            whole_file(weights) as weights_file,
        ):
            written = Path(place) / target.name
            # OpenVINO's own default would store the weights in half precision.
            try:
                import_openvino().save_model(model, str(written), compress_to_fp16=False)
            except RuntimeError:
                # It does not say why: the room that is left does.
                if shutil.disk_usage(place).free < _most_bytes(model):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from None
                raise
            read_model(written)
            written.with_suffix(".bin").replace(weights_file)
            written.replace(graph_file)
    except OSError as error:
        if is_full_disk(error):
            raise OSError(error.errno, error.strerror, str(target)) from None
        raise BadInput(f"{target}: cannot be written: {error.strerror}") from None
    except RuntimeError as error:
        raise BadInput(f"{target}: OpenVINO cannot write it: {reason(error)}") from None


def _most_bytes(model: Any) -> int:
    """Bytes that the IR of `model` takes at most: its constants, and the text of the graph."""
    operations = model.get_ops()
    constants = [operation for operation in operations if operation.get_type_name() == "Constant"]
    return sum(int(constant.get_byte_size()) for constant in constants) + TEXT_BYTES * len(operations)

"""What exporters leave out of a file, and every runtime or checker asks for: sizes that are free, shapes of outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from porter import declared_outputs

if TYPE_CHECKING:
    import onnx

BATCH = "N"


def mended(model: onnx.ModelProto) -> str:
    """Mend the declarations of a model in place, never a node or a weight; returns what was changed, or nothing."""
    shapes, sizes = _declare_outputs(model), _free_sizes(model)
    done = []
    if shapes:
        done.append(f"{shapes} shapes of outputs inferred")
    if sizes:
        done.append(f"{sizes} sizes of 0 or less written as free")
    return ", ".join(done)


def _declare_outputs(model: onnx.ModelProto) -> int:
    """Shapes of outputs that the file leaves out; the checker wants them."""
    count = 0
    for value, whole in zip(model.graph.output, declared_outputs(model), strict=True):
        if value != whole:
            value.CopyFrom(whole)
            count += 1
    return count


def _free_sizes(model: onnx.ModelProto) -> int:
    """Free sizes of inputs and outputs that are written as 0 or -1: a runtime takes 0 at its word."""
    count = 0
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        for axis, size in enumerate(value.type.tensor_type.shape.dim):
            if size.HasField("dim_value") and size.dim_value <= 0:
                size.Clear()
                if axis == 0:
                    size.dim_param = BATCH
                count += 1
    return count

"""The float graph that is quantised: constants folded, batch norms merged, every node with a name of its own."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from porter.errors import BadInput, is_full_disk, one_line
from porter.files.outward import stdout_to
from porter.graphs.onnxfile import all_graphs, all_nodes, read_onnx

if TYPE_CHECKING:
    import onnx

MIN_OPSET = 13
"""DequantizeLinear takes one scale for each channel from this opset on."""
QUANTISED = frozenset({"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul"})


def float_graph(source: Path, target: Path) -> int:
    """Write `source` to `target`, made ready for the quantiser. Returns the opset.

    The graph computes the same: ONNX Runtime's basic optimisations fold what is constant. Raises `BadInput` where its
    opset is too old, where it is quantised already, and where ONNX Runtime cannot read it.
    """
    model = read_onnx(source)
    opset = max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)
    if opset < MIN_OPSET:
        raise BadInput(f"{one_line(source)}: opset is {opset}, int8 needs {MIN_OPSET} or later")
    found = sorted({node.op_type for node in all_nodes(model.graph)} & QUANTISED)
    if found:
        raise BadInput(f"{one_line(source)}: already quantised, contains {', '.join(found)}")
    with quantiser(source), tempfile.TemporaryDirectory(prefix="porter-float-") as folder:
        from onnxruntime.quantization import quant_pre_process

        folded = Path(folder) / "folded.onnx"
        quant_pre_process(str(source), str(folded), skip_symbolic_shape=True)
        ready = read_onnx(folded)
        _name_nodes(ready)
        _drop_unused_domains(ready)
        target.write_bytes(ready.SerializeToString())
    return opset


@contextlib.contextmanager
def quantiser(path: Path) -> Iterator[None]:
    """Around calls of the quantiser: its chatter is dropped, and what it raises becomes `BadInput` naming `path`."""
    try:
        with stdout_to(io.StringIO()):
            yield
    except BadInput:
        raise
    except Exception as error:  # the quantiser raises whatever its parts raise
        if is_full_disk(error):
            raise
        raise BadInput(f"{one_line(path)}: ONNX Runtime cannot quantise it: {one_line(error)[:400]}") from None


def _name_nodes(model: onnx.ModelProto) -> None:
    """Nodes are left in float by their names, so each needs one of its own, of plain characters."""
    taken: set[str] = set()
    for number, node in enumerate(model.graph.node):
        name = one_line(node.name)
        if not name or name in taken:
            name = f"{one_line(node.op_type)}_{number}"
            while name in taken:
                name += "_"
        node.name = name
        taken.add(name)


def _drop_unused_domains(model: onnx.ModelProto) -> None:
    """The optimiser declares every operator set that it knows; a reader may refuse one that it does not."""
    used = {node.domain for body in (model.graph, *model.functions) for part in all_graphs(body) for node in part.node}
    kept = [entry for entry in model.opset_import if entry.domain in used | {"", "ai.onnx"}]
    del model.opset_import[:]
    model.opset_import.extend(kept)

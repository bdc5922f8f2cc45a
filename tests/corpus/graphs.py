"""ONNX files, and IR files of OpenVINO."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from corpus.case import Case
from corpus.configs import ONNX
from corpus.good import strongest_colour

GRAPHS = "diagnose graphs --reference tiny.onnx --candidate bad.onnx"
IR = "diagnose graphs --reference tiny.onnx --candidate ir.xml --candidate-runtime openvino"
FAILED = ("README.md", "reproduce.sh", "run.json")
"""A file that ONNX Runtime does not load fails the verdict "weights", and the documents say so."""
Change = Callable[[onnx.ModelProto], object]


def _changed(change: Change) -> dict[str, Callable[[Path], object]]:
    """tiny.onnx with one change."""

    def save(path: Path) -> None:
        model = strongest_colour()
        change(model)
        path.write_bytes(model.SerializeToString())

    return {"tiny.onnx": save}


def _bad(change: Change) -> dict[str, Callable[[Path], object]]:
    return {"bad.onnx": _changed(change)["tiny.onnx"]}


def outside(model: onnx.ModelProto, location: str) -> None:
    """Move the weights to an external file."""
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)


def _value(model: onnx.ModelProto, kind: str, **changes: object) -> None:
    value = getattr(model.graph, kind)[0]
    for name, change in changes.items():
        if name == "name":
            value.name = change
        elif name == "dtype":
            value.type.tensor_type.elem_type = change
        else:
            value.CopyFrom(helper.make_tensor_value_info(value.name, TensorProto.FLOAT, change))  # type: ignore[arg-type]


def huge(model: onnx.ModelProto) -> None:
    """An initializer that declares four terabytes and holds 36 bytes."""
    model.graph.initializer[0].dims[:] = [10**6, 10**6]


def node_of_terabytes(model: onnx.ModelProto) -> None:
    """A node that would fill 4 TB."""
    shape = numpy_helper.from_array(np.array([10**6, 10**6], np.int64), "shape")
    model.graph.initializer.append(shape)
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["zeros"]),
        helper.make_node("ReduceMax", ["zeros"], ["most"], keepdims=0),
        helper.make_node("Add", ["plain", "most"], ["class"]),
    ]
    model.graph.node[1].output[0] = "plain"
    model.graph.node.extend(nodes)


def _cycle(model: onnx.ModelProto) -> None:
    model.graph.node[0].input[0] = "class"


def dropout(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 13
    model.ir_version = 7
    live = numpy_helper.from_array(np.array(True), "live")
    ratio = numpy_helper.from_array(np.array(0.5, np.float32), "ratio")
    model.graph.initializer.extend([ratio, live])
    model.graph.node[1].output[0] = "plain"
    model.graph.node.append(helper.make_node("Dropout", ["plain", "ratio", "live"], ["class"]))


OUTSIDE_ENTITY = (
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    '<net name="&x;" version="11"><layers/><edges/></net>'
)

CASES = [
    # --- the file itself
    Case(name="empty", command=ONNX, says="tiny.onnx: empty, not an ONNX file", files={"tiny.onnx": b""}),
    Case(
        name="text",
        command=ONNX,
        says="tiny.onnx: is a Git LFS pointer, not the file itself",
        files={"tiny.onnx": "version https://git-lfs.github.com/spec/v1\n"},
    ),
    Case(
        name="cut short",
        command=ONNX,
        says="tiny.onnx: is a damaged or truncated ONNX file",
        files={"tiny.onnx": lambda p: p.write_bytes(strongest_colour().SerializeToString()[:150])},
    ),
    Case(
        name="a checkpoint",
        command=ONNX,
        says="tiny.onnx: is a zip archive that is damaged or truncated",
        files={"tiny.onnx": b"PK\x03\x04" + bytes(100)},
    ),
    Case(
        name="a link to itself",
        command=ONNX,
        says="tiny.onnx: cannot be read: Too many levels of symbolic links",
        files={"tiny.onnx": lambda p: p.symlink_to("tiny.onnx")},
    ),
    # --- what it holds
    Case(
        name="weights in /etc/passwd",
        command=ONNX,
        says=r"1 weights are outside the file \(first: weights",
        files=_changed(lambda m: outside(m, "/etc/passwd")),
    ),
    Case(
        name="weights in the folder above",
        command=ONNX,
        says="1 weights are outside the file",
        files=_changed(lambda m: outside(m, "../secret.bin")),
    ),
    Case(
        name="no graph",
        command=ONNX,
        says=r"tiny\.onnx: not an ONNX model: it is a damaged or truncated",
        files=_changed(lambda m: m.ClearField("graph")),
    ),
    Case(
        name="no opset",
        command=ONNX,
        says="imports no operators of the default ONNX domain",
        files=_changed(lambda m: setattr(m.opset_import[0], "domain", "com.example")),
    ),
    Case(
        name="an opset of the future",
        command=ONNX,
        says="opset",
        files=_changed(lambda m: setattr(m.opset_import[0], "version", 99)),
        leaves=FAILED,
    ),
    Case(
        name="an IR version of the future",
        command=ONNX,
        says="tiny.onnx: cannot be loaded by ONNX Runtime: .*IR version",
        files=_changed(lambda m: setattr(m, "ir_version", 99)),
        leaves=FAILED,
    ),
    Case(
        name="an unknown operator",
        command=ONNX,
        says="cannot be loaded by ONNX Runtime.*NoSuchOp",
        files=_changed(lambda m: setattr(m.graph.node[1], "op_type", "NoSuchOp")),
        leaves=FAILED,
    ),
    Case(
        name="nodes in a circle",
        command=ONNX,
        says="cannot be loaded by ONNX Runtime",
        files=_changed(_cycle),
        leaves=FAILED,
    ),
    Case(
        name="four terabytes of weights declared",
        command=ONNX,
        says="cannot be loaded by ONNX Runtime|weights",
        files=_changed(huge),
        leaves=FAILED,
    ),
    Case(
        name="four terabytes in a node",
        command=ONNX,
        code=1,  # the only target fails, alone: the run is delivered and says so
        says="ONNX Runtime: not enough memory for a batch of 1",
        files=_changed(node_of_terabytes),
        leaves=("models", "run.json"),
    ),
    Case(name="dropout in training mode", command=ONNX, says="Dropout '' is in training mode", files=_changed(dropout)),
    Case(
        name="two inputs",
        command=ONNX,
        says="has 2 inputs",
        files=_changed(lambda m: m.graph.input.append(helper.make_tensor_value_info("b", 1, [1]))),
    ),
    Case(
        name="two outputs",
        command=ONNX,
        says="tiny.yaml: output: missing, and .*tiny.onnx has means, class|class, means",
        files=_changed(lambda m: m.graph.output.append(helper.make_tensor_value_info("means", 1, ["N", 3]))),
    ),
    Case(
        name="an input of int64",
        command=ONNX,
        says="preprocess.mean: .* but tiny.onnx takes int64, the grey levels",
        files=_changed(lambda m: _value(m, "input", dtype=TensorProto.INT64)),
    ),
    Case(
        name="an input of no type",
        command=ONNX,
        says="input 'image' is type 0; porter supports",
        files=_changed(lambda m: _value(m, "input", dtype=0)),
    ),
    Case(
        name="an input of three axes",
        command=ONNX,
        says="input 'image' has shape 3×16×16; a batch of images has four dimensions",
        files=_changed(lambda m: _value(m, "input", shape=[3, 16, 16])),
    ),
    Case(
        name="seven channels",
        command=ONNX,
        says="its input is N×7×16×16; porter supports images of 3 channels",
        files=_changed(lambda m: _value(m, "input", shape=["N", 7, 16, 16])),
    ),
    Case(
        name="terminal controls in a name",
        command=ONNX,
        says=r"has 2 inputs \(image, \\x1b\[2J\)",
        files=_changed(lambda m: m.graph.input.append(helper.make_tensor_value_info("\x1b[2J", 1, [1]))),
    ),
    # --- graphs side by side
    Case(name="diagnose: text for a graph", command=GRAPHS, says=r"bad\.onnx: a text file", files={"bad.onnx": "text"}),
    Case(
        name="diagnose: weights outside",
        command=GRAPHS,
        says=r"bad\.onnx: 1 weights are outside the file",
        files=_bad(lambda m: outside(m, "../secret.bin")),
    ),
    Case(
        name="diagnose: an unknown operator",
        command=GRAPHS,
        code=1,
        says="NoSuchOp",
        files=_bad(lambda m: setattr(m.graph.node[1], "op_type", "NoSuchOp")),
    ),
    Case(name="diagnose: nodes in a circle", command=GRAPHS, says="bad.onnx", files=_bad(_cycle)),
    Case(name="IR: text", command=IR, says="ir.xml", files={"ir.xml": "text"}),
    Case(
        name="IR: entities that grow",
        command=IR,
        says="ir.xml",
        files={
            "ir.xml": '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "ha">'
            + "".join(f'<!ENTITY x{k} "{f"&x{k - 1 or chr(0)};".replace(chr(0), "") * 10}">' for k in range(1, 10))
            + "]><net>&x9;</net>"
        },
    ),
    Case(
        name="IR: without its weights",
        command=IR,
        says="ir.xml",
        files={"ir.xml": '<?xml version="1.0"?><net name="a" version="11"><layers/><edges/></net>'},
    ),
    Case(
        name="IR: a file from outside",
        command=IR,
        says="ir.xml",
        files={"ir.xml": OUTSIDE_ENTITY},
    ),
]

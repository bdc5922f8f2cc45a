"""Received files that reach for what is outside of them, have no end, or show something else than they are.

`secret` lies above the folder of the good inputs: its text stands in no output and no file afterwards.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from corpus.case import Case, Content
from corpus.checkpoints import zip_of
from corpus.configs import HRNET_RUN, ONNX
from corpus.good import HRNET, YAML, strongest_colour

SECRET = "hunter2"
IMPORT = "import ascend back --model onnx --config tiny.yaml --labels labels.txt --out new"
CHECKPOINT = "export hrnet --config hrnet.yaml --checkpoint c.pth --out out"


def sparse(path: Path) -> None:
    with path.open("wb") as stream:
        stream.truncate(40 << 30)


def secret_link(path: Path) -> None:
    path.symlink_to(Path.cwd().parent / "secret")


def _pseudo(path: Path) -> None:
    path.symlink_to("/proc/kmsg" if Path("/proc/kmsg").exists() else "/dev/zero")


def _pickle(body: bytes) -> Callable[[Path], object]:
    return lambda path: zip_of(path, {"a/data.pkl": b"\x80\x02" + body + b".", "a/version": b"3\n"}, 0)


def _graph(change: Callable[[onnx.ModelProto], object]) -> dict[str, Content]:
    def make(path: Path) -> None:
        model = strongest_colour()
        model.ir_version = 10
        model.opset_import.append(helper.make_opsetid("my", 1))
        change(model)
        path.write_bytes(model.SerializeToString())

    return {"tiny.onnx": make}


def _function(name: str, *calls: str) -> onnx.FunctionProto:
    names = ["x", *(f"t{place}" for place in range(len(calls) - 1)), "y"]
    nodes = [
        helper.make_node(call, [names[place]], [names[place + 1]], domain="my" if call != "Identity" else "")
        for place, call in enumerate(calls)
    ]
    return helper.make_function("my", name, ["x"], ["y"], nodes, [helper.make_opsetid("", 11)])


def _doubling(model: onnx.ModelProto) -> None:
    model.functions.append(_function("f0", "Identity"))
    model.functions.extend(_function(f"f{k}", f"f{k - 1}", f"f{k - 1}") for k in range(1, 31))
    _call(model, "f30")


def _itself(model: onnx.ModelProto) -> None:
    model.functions.extend([_function("a", "b"), _function("b", "a")])
    _call(model, "a")


def _call(model: onnx.ModelProto, name: str) -> None:
    model.graph.node[0].input[0] = "called"
    model.graph.node.insert(0, helper.make_node(name, ["image"], ["called"], domain="my"))


def _outside(tensor: TensorProto) -> TensorProto:
    tensor.CopyFrom(TensorProto(name="w", data_type=1, dims=[1], data_location=TensorProto.EXTERNAL))
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../secret"
    return tensor


def _default_outside(model: onnx.ModelProto) -> None:
    function = _function("f", "Identity")
    attribute = function.attribute_proto.add()
    attribute.name, attribute.type = "d", onnx.AttributeProto.TENSOR
    _outside(attribute.t)
    model.functions.append(function)


def _training_outside(model: onnx.ModelProto) -> None:
    _outside(model.training_info.add().initialization.initializer.add())


CASES = [
    *(
        Case(name=f"{key} {place}", command=ONNX, says=f"{key}: '.*' leads out of the folder of the yaml", files=files)
        for key in ("model", "labels.names")
        for place, path in (
            ("above", "../secret"),
            ("below and above", "val/../../secret"),
            ("of the system", "/etc/hosts"),
        )
        for text in [YAML.replace("tiny.onnx", path) if key == "model" else f"{YAML}labels: {{names: {path}}}\n"]
        for files in [{"tiny.yaml": text}]
    ),
    Case(
        name="labels.names: a link",
        command=ONNX,
        says="labels.names: 'names' leads out of the folder of the yaml",
        files={"tiny.yaml": f"{YAML}labels: {{names: names}}\n", "names": secret_link},
    ),
    Case(
        name="an output that is a link",
        command=IMPORT,
        says="0_0.txt: a link that leads out of the imported folder; ignored",
        files={"back/0_0.txt": secret_link},
    ),
    Case(
        name="a log that is a link",
        command=IMPORT,
        says="a.log: a link that leads out of the imported folder",
        files={"back/a.log": secret_link},
    ),
    Case(
        name="a result that is a link to a pseudo file",
        command=IMPORT,
        says="result.json: a link that leads out of the imported folder",
        files={"back/result.json": _pseudo},
    ),
    Case(
        name="a checkpoint that is a pipe",
        command=CHECKPOINT,
        says="c.pth: (is )?(cannot be read: )?not a regular file",
        files={"c.pth": os.mkfifo},
    ),
    Case(
        name="a checkpoint of the kernel",
        command=CHECKPOINT,
        says="c.pth: .*not a regular file",
        files={"c.pth": _pseudo},
    ),
    Case(
        name="labels of the kernel", command=ONNX, says="labels.txt: not a regular file", files={"labels.txt": _pseudo}
    ),
    Case(
        name="a config of the kernel", command=ONNX, says="tiny.yaml: not a regular file", files={"tiny.yaml": _pseudo}
    ),
    *(
        Case(
            name=f"a key nested {depth} deep",
            command=CHECKPOINT,
            says="c.pth: nested too deep; levels of a pickle: 100 is the limit",
            leaves=("run.json",),
            files={"c.pth": _pickle(b"}K\x01" + b"\x85" * depth + b"K\x01s")},
        )
        for depth in (30_000, 300_000)
    ),
    Case(
        name="millions of lists in a pickle",
        command=CHECKPOINT,
        says="c.pth: too much in it; values in a pickle: 2,000,000 is the limit",
        leaves=("run.json",),
        files={"c.pth": _pickle(b"](" + b"]" * 2_000_010 + b"e")},
    ),
    Case(
        name="functions that double",
        command=ONNX,
        says=r"tiny\.onnx: its functions are nested too",
        files=_graph(_doubling),
    ),
    Case(
        name="functions in a circle",
        command=ONNX,
        says=r"tiny\.onnx: its functions are nested too",
        files=_graph(_itself),
    ),
    Case(name="a default outside", command=ONNX, says="1 weights are outside the file", files=_graph(_default_outside)),
    Case(name="training outside", command=ONNX, says="1 weights are outside the file", files=_graph(_training_outside)),
    Case(
        name="a type that is none",
        command=ONNX,
        says="tiny.onnx: tensor 'weights' is of data type 999, which is none",
        files=_graph(lambda model: setattr(model.graph.initializer[0], "data_type", 999)),
    ),
    Case(
        name="sexagesimal numbers",
        command=HRNET_RUN,
        says="hrnet.yaml: .*digits of a number in a config: 100 is the limit",
        files={"hrnet.yaml": f"{HRNET}X: {'1:' * 400_000}1\n"},
    ),
    Case(
        name="a sparse label file",
        command=ONNX,
        says="42.9 GB; label file: 256 MB is the limit",
        files={"labels.txt": sparse},
    ),
    Case(
        name="labels in JSON without end",
        command=ONNX,
        says="labels.txt: too much in it; values in a JSON file: 2,000,000 is the limit",
        files={"labels.txt": "[" + "{}," * 1_000_001 + "{}]"},
    ),
    Case(
        name="labels of short lines",
        command=ONNX,
        says="labels.txt: too many lines; lines of a text file: 2,000,000 is the limit",
        files={"labels.txt": "a 0\n" * 2_000_001},
    ),
    Case(
        name="a line without end",
        command=ONNX,
        says="labels.txt, line 2: 100002 characters; line of text: 64 kB is the limit",
        files={"labels.txt": "0.png 0\n" + "a" * 100_000 + " 0\n"},
    ),
    Case(name="a link to itself", command=CHECKPOINT, says="c.pth", files={"c.pth": lambda p: p.symlink_to(p)}),
]

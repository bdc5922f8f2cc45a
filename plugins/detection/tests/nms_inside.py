"""The shapes detector as a graph with non-maximum suppression inside: rows of image index, box, score and class."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from porter import (
    Artefact,
    Exported,
    Loaded,
    LoadReport,
    ModelOffer,
    ModelSpec,
    OnnxRuntimeSession,
    OpenRequest,
    TensorSpec,
    all_tensors,
    hookimpl,
    read_onnx,
)
from porter_detection.shapes import SPEC

NAME = "shapes-nms"


def with_nms(path: Path, out: Path, least: float, iou: float = 0.7, most: int = 300) -> Path:
    """The graph at `path` (boxes N×A×4, scores N×A×C) with `NonMaxSuppression` behind it: `found`, K×7."""
    model = onnx.load(path)
    graph = model.graph

    def constant(name: str, values: Any, kind: Any) -> str:
        graph.initializer.append(numpy_helper.from_array(np.array(values, kind), name))
        return name

    limits = [
        constant("most", [most], np.int64),
        constant("iou", [iou], np.float32),
        constant("least", [least], np.float32),
    ]
    columns = [constant(f"column{k}", [k], np.int64) for k in range(3)]
    graph.node.extend(
        [
            helper.make_node("Transpose", ["scores"], ["by_class"], perm=[0, 2, 1]),
            helper.make_node("NonMaxSuppression", ["boxes", "by_class", *limits], ["kept"]),  # image, class, box
            *(helper.make_node("Gather", ["kept", columns[k]], [f"kept{k}"], axis=1) for k in range(3)),
            helper.make_node("Concat", ["kept0", "kept2"], ["where"], axis=1),
            helper.make_node("GatherND", ["boxes", "where"], ["kept_boxes"]),
            helper.make_node("GatherND", ["by_class", "kept"], ["kept_scores"]),
            helper.make_node("Unsqueeze", ["kept_scores"], ["score_column"], axes=[1]),
            *(helper.make_node("Cast", [f"kept{k}"], [f"number{k}"], to=TensorProto.FLOAT) for k in (0, 1)),
            helper.make_node("Concat", ["number0", "kept_boxes", "score_column", "number1"], ["found"], axis=1),
        ]
    )
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("found", TensorProto.FLOAT, ["K", 7]))
    onnx.checker.check_model(model)
    onnx.save(model, out)
    return out


def plugin_of(path: Path) -> object:
    """A plugin that offers the graph at `path` as model `shapes-nms`, with no postprocess of its own."""
    spec = replace(
        SPEC, name=NAME, outputs=(TensorSpec(name="found", shape=("K", 7), index_column=0),), checkpoint=str(path)
    )

    @hookimpl
    def porter_models() -> list[ModelOffer]:
        return [ModelOffer(name=NAME, title="Shapes", variants=(spec,), needs_checkpoint=False)]

    @hookimpl
    def porter_describe(request: Any) -> ModelSpec:
        return spec

    @hookimpl
    def porter_load(request: Any) -> Loaded:
        tensors = len(list(all_tensors(read_onnx(path))))
        report = LoadReport(format="onnx", safe=True, weights="graph", expected=tensors, loaded=tensors, parameters=1)
        artefact = Artefact(runtime="onnxruntime", precision="fp32", path=str(path))
        opening = OpenRequest(artefact=artefact, path=path, spec=spec, threads=1)
        return Loaded(spec=spec, module=path, reference=OnnxRuntimeSession(opening, optimise=False), report=report)

    @hookimpl
    def porter_export(loaded: Loaded, request: Any) -> Exported:
        shutil.copyfile(path, request.path)
        return Exported(path=request.path, exporter="copy", call="copy")

    hooks = (porter_models, porter_describe, porter_load, porter_export)
    return SimpleNamespace(__name__="shapes_nms", **{hook.__name__: hook for hook in hooks})

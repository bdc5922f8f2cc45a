"""The folder that goes with a form: scripts that a reader runs without porter, and what the hub asks for."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from porter import FormRequest, PreprocessSpec
from porter_ascend.delivery import Delivery
from porter_ascend.kit import TEMPLATES

DEPTH = 5
MAX_PIXELS = 40_000_000
"""Largest image that porter decodes."""
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "PPM", "TIFF", "WEBP")
SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".ppm", ".pgm", ".tif", ".tiff", ".webp")
ADDRESS = re.compile(r"https?://[^\s<>\"'`)|，。；）]+")
LICENCE = TEMPLATES / "scripts/LICENSE"


def scripts(request: FormRequest) -> dict[str, str]:
    """Every file of the folder but README.md, by its name."""
    delivery = Delivery(request)
    found = dict(_export(delivery))
    found["imagenet_torch_preprocess.py"] = _preprocess(delivery)
    found["get_info.py"] = request.render("scripts/get_info.py.j2")
    found["imagenet_acc_eval.py"] = _score(delivery)
    found["requirements.txt"] = "".join(f"{delivery.pinned(name)}\n" for name in delivery.packages)
    found["LICENSE"] = LICENCE.read_text(encoding="utf-8")
    found["modelzoo_level.txt"] = "".join(f"{key}:{value}\n" for key, value in delivery.levels.items())
    return found


def address_statement(files: Mapping[str, str]) -> str:
    """`public_address_statement.md`: every address that occurs in the files."""
    use = {"LICENSE": "许可证中的引用", "README.md": "说明文档中的引用"}
    rows = [
        f"| 引用 | {name} | {address} | {use.get(name, '代码注释中的引用')} |"
        for name, text in files.items()
        for address in dict.fromkeys(one.rstrip(".,;") for one in ADDRESS.findall(text))
    ]
    head = ["# 公网地址声明", "", "| 类型 | 文件 | 公网地址 | 用途说明 |", "| --- | --- | --- | --- |"]
    return "\n".join([*head, *rows, ""])


def literal(value: object) -> str:
    """A value as Python code, in the usual quotes."""
    if isinstance(value, str):
        return json.dumps(value) if value.isascii() else repr(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(key)}: {literal(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(literal, value)) + "]"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(literal, value)) + ("," if len(value) == 1 else "") + ")"
    return repr(value)


def _export(delivery: Delivery) -> Iterator[tuple[str, str]]:
    """The script that exports the network, and the network's own code; nothing where the model offers none."""
    request, model = delivery.request, delivery.model
    standalone, load = request.standalone, delivery.run.load
    if standalone is None:
        return
    functions = ["build_network"] + ["finish_export"] * standalone.finishes + ["wrap_network"] * standalone.wrapped
    keys = ("state_dict", "model") if load is None else tuple(part for part in load.weights.split(".") if part)
    yield (
        delivery.export_script,
        request.render(
            "scripts/export.py.j2",
            script=delivery.export_script,
            module=standalone.files[0].stem,
            functions=", ".join(functions),
            takes_config=standalone.takes_config,
            wrapped=standalone.wrapped,
            finishes=standalone.finishes,
            opset=delivery.opset,
            model=literal(model.name),
            inputs=literal({tensor.name: tensor.shape for tensor in model.inputs}),
            outputs=literal([tensor.name for tensor in model.outputs]),
            keys=literal(keys),
            prefix=literal("module." if load is None else load.prefix),
        ),
    )
    yield from standalone.sources().items()
    if request.config is not None:
        yield Path(delivery.config).name, request.config.read_text(encoding="utf-8")


def _preprocess(delivery: Delivery) -> str:
    spec: PreprocessSpec = delivery.model.image
    return delivery.request.render(
        "scripts/preprocess.py.j2",
        script="imagenet_torch_preprocess.py",
        name=delivery.name,
        model=literal(delivery.name),
        resize=spec.resize,
        squash=spec.squash,
        crop=spec.crop,
        divisor=spec.divisor,
        mean=spec.mean,
        std=spec.std,
        channels="(0, 1, 2)" if spec.channels == "RGB" else "(2, 1, 0)",
        order=spec.channels,
        whole="round" if spec.long_side == "round" else "int",
        filter=spec.interpolation.upper(),
        formats=literal(FORMATS),
        suffixes=literal(SUFFIXES),
        max_pixels=MAX_PIXELS,
    )


def _score(delivery: Delivery) -> str:
    model = delivery.model
    classes = model.num_classes or 0
    columns = math.prod(size for size in model.outputs[0].shape[1:] if isinstance(size, int))
    return delivery.request.render(
        "scripts/score.py.j2",
        script="imagenet_acc_eval.py",
        classes=classes,
        depth=min(DEPTH, classes),
        offset=delivery.run.request.label_offset,
        background=columns == classes + 1,
    )

"""The form `huggingface`: a model card, with the metadata that model hubs read from its head.

The keys are those of https://github.com/huggingface/hub-docs/blob/main/modelcard.md; a result of `model-index` must
have `task.type`, `dataset.name`, `dataset.type`, and of each metric `type` and `value`.
"""

from __future__ import annotations

import importlib.resources
import re
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

import yaml

from porter.contracts.form import DOCUMENT, Form, FormRequest
from porter.errors import one_line
from porter.records.evaluation import Evaluation
from porter.records.record import RunRecord
from porter.runfolder.layout import MODELS

LICENCES = frozenset(
    [
        "afl-3.0",
        "agpl-3.0",
        "apache-2.0",
        "artistic-2.0",
        "bsd",
        "bsd-2-clause",
        "bsd-3-clause",
        "bsd-3-clause-clear",
        "bsl-1.0",
        "cc",
        "cc0-1.0",
        "cc-by-2.0",
        "cc-by-3.0",
        "cc-by-4.0",
        "cc-by-nc-4.0",
        "cc-by-nc-sa-4.0",
        "cc-by-sa-3.0",
        "cc-by-sa-4.0",
        "epl-2.0",
        "eupl-1.1",
        "gpl",
        "gpl-2.0",
        "gpl-3.0",
        "isc",
        "lgpl",
        "lgpl-2.1",
        "lgpl-3.0",
        "mit",
        "mpl-2.0",
        "openrail",
        "unlicense",
        "zlib",
    ]
)
"""Licences that the hub knows by these names; any other is `other`, with its own name beside it."""
TASKS = {"classification": "image-classification"}
"""What the hub calls core's tasks; any other goes by its own name."""
TOP_K = re.compile(r"top[1-9][0-9]*")


class ModelCard(Form):
    """README.md of a repository of the hub; the model files go beside it."""

    name = "huggingface"
    title = "Model card of the Hugging Face hub"
    templates = Path(str(importlib.resources.files("porter.templates"))) / "huggingface"

    def files(self, request: FormRequest) -> Mapping[str, bytes]:
        record = request.record
        card = request.render(
            f"{DOCUMENT}.j2",
            front_matter=front_matter(record),
            files=tuple(file for file in record.files if file.path.startswith(f"{MODELS}/")),
            gate=next((one.metric for one in record.comparisons), ""),
            usable=_usable(record),
            licence=licence_of(record),
        )
        return {DOCUMENT: card.encode()}


def _usable(record: RunRecord) -> str:
    """Name of the ONNX file, if a few lines of Python can feed it; else empty."""
    if record.export is None or record.model is None or len(record.model.inputs) != 1:
        return ""
    tensor, pipeline = record.model.inputs[0], record.model.preprocess
    if pipeline is None or not pipeline.is_photo:
        return ""
    crop = pipeline.crop
    plain = tensor.dtype == "float32" and tuple(tensor.shape[1:]) == (3, *crop) and tensor.name.isidentifier()
    name = PurePath(record.export.path).name
    return name if plain and re.fullmatch(r"[\w.-]+", name, re.ASCII) else ""


def front_matter(record: RunRecord) -> str:
    """The block of YAML that goes before README.md, its lines of dashes included."""
    dumped = yaml.safe_dump(metadata(record), sort_keys=False, allow_unicode=True, width=10_000)
    return f"---\n{dumped}---\n\n"


def metadata(record: RunRecord) -> dict[str, Any]:
    """What the hub shows and searches: every figure is one of the record, unrounded."""
    found: dict[str, Any] = {"language": ["en"]}
    found |= _licence(record)
    found["library_name"] = "onnx"
    found["pipeline_tag"] = _task(record)
    found["tags"] = _unique([_task(record), "onnx", *(artefact.runtime for artefact in record.artefacts), "porter"])
    results = [_result(record, evaluation) for evaluation in record.evaluations if evaluation.metrics]
    if results:
        found["datasets"] = _unique([result["dataset"]["type"] for result in results])
        found["metrics"] = _unique([metric["type"] for result in results for metric in result["metrics"]])
    found["model-index"] = [{"name": _name(record), "results": results}]
    return found


def _result(record: RunRecord, evaluation: Evaluation) -> dict[str, Any]:
    name = _dataset(record)
    return {
        "task": {"type": _task(record), "name": _task(record).replace("-", " ").capitalize()},
        "dataset": {"name": name, "type": _identifier(name)},
        "metrics": [
            {
                "type": "accuracy" if TOP_K.fullmatch(metric.name) else _identifier(metric.name),
                "name": one_line(f"{metric.title} ({metric.unit}), {evaluation.title}, {metric.count} images"),
                "value": metric.value,
            }
            for metric in evaluation.metrics
        ],
    }


def _dataset(record: RunRecord) -> str:
    """The published set of images where the run's are those, else the folder's name."""
    published = record.model.published if record.model is not None else None
    compared = [one for one in record.comparisons if one.against == "published" and one.passed is not None]
    if published is not None and compared:
        return one_line(published.dataset)
    root = record.request.data
    return one_line(PurePath(root).name or root) if root else f"{one_line(record.request.model)} sample"


def licence_of(record: RunRecord) -> str:
    """Licence of the weights: as the model's plugin names it, else as the user states it; empty: nobody said."""
    own = record.model.licence if record.model is not None else ""
    return one_line(own or (record.host_facts.licence if record.host_facts is not None else ""))


def _licence(record: RunRecord) -> dict[str, Any]:
    given = licence_of(record)
    if not given:
        return {}
    known = given.lower().replace(" ", "-")
    return {"license": known} if known in LICENCES else {"license": "other", "license_name": _identifier(given)}


def _task(record: RunRecord) -> str:
    task = record.model.task if record.model is not None else ""
    return TASKS.get(task, _identifier(task))


def _name(record: RunRecord) -> str:
    return one_line((record.model.title if record.model is not None else "") or record.request.model)


def _identifier(text: str) -> str:
    return re.sub(r"[^a-z0-9._]+", "-", text.lower()).strip("-.") or "unknown"


def _unique(names: list[str]) -> list[str]:
    return list(dict.fromkeys(one_line(name) for name in names))

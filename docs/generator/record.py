"""docs/reference/run-record.md and run.schema.json, from the records."""

from __future__ import annotations

import inspect
import json
import re

import msgspec

from generator import markdown as md
from generator.source import Class, Field, closure
from porter.records import record as run
from porter.runfolder import sections
from porter.runfolder.layout import RECORD_NAME

DIALECT = "https://json-schema.org/draft/2020-12/schema"
"""The dialect that msgspec writes."""

SUFFIXES = {
    "_ms": "ms",
    "seconds": "s",
    "_bytes": "bytes",
    "_percent": "%",
    "_gib": "GiB",
    "_mib": "MiB",
    "images_per_second": "images/s",
    "ms_per_image": "ms per image",
    "threads": "threads",
    "_cpus": "processors",
}
"""Unit of a field by the end of its name; the longest end counts."""

UNITS = {
    "Interval.low": "of its metric",
    "Interval.high": "of its metric",
    "MetricChange.hidden_loss": "of the metric",
    "Metric.value": "its `unit`",
    "PublishedMetric.value": "its `unit`",
    "Comparison.value": "of the metric",
    "Comparison.baseline": "of the metric",
    "Comparison.drop": "of the metric",
    "Comparison.allowed": "of the metric",
    "RunRequest.max_drop": "percentage points",
    "PreprocessSpec.box_scale": "times",
    "ResampledDrop.drop": "of the metric",
    "ResampledDrop.allowed": "of the metric",
    "Flip.margin": "of the scores",
    "Better.value": "percent",
    "Better.declared": "percent",
    "Better.p_value": "1",
    "PairedComparison.drop": "percentage points",
    "PairedComparison.allowed": "percentage points",
    "PairedComparison.p_value": "1",
    "RunRequest.atol": "of the output",
    "RunRequest.rtol": "1",
    "Tolerance.atol": "of the output",
    "Tolerance.rtol": "1",
    "OutputParity.max_abs_error": "of the output",
    "OutputParity.mean_abs_error": "of the output",
    "OutputParity.relative_error": "1",
    "OutputParity.cosine": "1",
    "OutputParity.allowed": "of the output",
    "OutputErrors.max_abs_error": "of the output; of whole numbers the share that differs",
    "OutputErrors.allowed": "as the error",
    "WorstImage.error": "of the output; of whole numbers the share that differs",
    "WorstImage.allowed": "as the error",
    "PrecisionSigns.relative_rms": "1",
    "PrecisionSigns.noise": "1",
    "PrecisionSigns.rounded": "1",
    "PrecisionSigns.alike": "1",
    "PreprocessParity.max_abs_error": "of the tensor",
    "PreprocessParity.allowed": "of the tensor",
    "PreprocessSpec.resize": "pixels",
    "PreprocessSpec.crop": "pixels",
    "PreprocessSpec.divisor": "grey levels",
    "PreprocessSpec.mean": "grey levels / divisor",
    "PreprocessSpec.std": "grey levels / divisor",
    "DepthError.introduced_error": "1",
    "NodeFinding.introduced_error": "1",
    "DepthError.relative_error": "1",
    "Explanation.max_residual": "of the tensor",
    "Explanation.mean_residual": "of the tensor",
    "LabelFinding.accuracy": "percent",
    "LabelFinding.p_value": "1",
    "PreprocessFinding.allowed": "of the tensor",
    "PreprocessFinding.factor": "1",
    "PreprocessFinding.max_difference": "of the tensor",
    "PreprocessFinding.mean_difference": "of the tensor",
    "StaticDifference.max_abs_error": "of the weight",
    "StaticDifference.relative_error": "1",
    "TensorError.cosine": "1",
    "TensorError.max_abs_error": "of the tensor",
    "TensorError.relative_error": "1",
    "TensorError.sqnr_db": "dB",
    "Environment.load_average": "processes",
    "Gain.best_value": "images/s or ms",
    "Gain.plain_value": "images/s or ms",
    "Performance.load_average_after": "processes",
    "Performance.load_average_before": "processes",
    "MetricChange.first": "its `unit`",
    "MetricChange.second": "its `unit`",
    "MetricChange.difference": "its `unit`",
    "SpeedChange.ratio": "1",
    "Attempt.options": "of the method",
    "AttemptScore.drop": "of the metric",
    "Performance.processors": "processors",
    "Performance.operations_per_second": "operations/s",
    "Candidate.drop": "of the metric",
    "Candidate.ratio": "1",
    "Candidate.value": "of the metric",
    "Choice.allowed": "of the metric",
    "FinalTiming.highest": "images/s",
    "FinalTiming.lowest": "images/s",
    "Quantization.allowed": "of the metric",
    "SensitiveTensor.noise": "1",
}
"""Unit of a field whose name does not tell. A figure must be in one of the two tables."""


def page() -> str:
    """The page."""
    [root, *others] = closure(["RunRecord"])
    names = [cls.name for cls in (root, *others)]
    return md.page(
        "The run record",
        inspect.getdoc(run) or "",
        f"{RECORD_NAME} is UTF-8 JSON, written after every stage, whole or not at all. `schema_version` is "
        f"{run.SCHEMA_VERSION}; [run.schema.json](run.schema.json) is its JSON Schema. A figure that was not measured "
        "is `null`, and a section that was not measured is `null` or empty; neither is ever 0.",
        section(root, names),
        _staleness(),
        *(section(cls, names) for cls in others),
    )


def schema() -> str:
    """The JSON Schema of run.json."""
    document = {"$schema": DIALECT, "title": "run.json of porter", **msgspec.json.schema(run.RunRecord)}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def section(cls: Class, classes: list[str]) -> str:
    """One class with its fields; a type that is one of `classes` is a link."""
    values = any(not field.type for field in cls.fields)  # an enumeration
    columns = ["value", "meaning"] if values else ["field", "type", "unit", "meaning"]
    rows = [
        [md.code(f.default), f.doc] if values else [md.code(f.name), _type(f, classes), _unit(cls, f), f.doc]
        for f in cls.fields
    ]
    return "\n\n".join([f"## `{cls.name}`", *([cls.doc] if cls.doc else []), md.table(columns, rows)])


def _staleness() -> str:
    rows = [
        [md.code(name), _listed(sections.NEEDS[name]), _listed(options)] for name, options in sections.MADE_FROM.items()
    ]
    text = (
        "A stage that runs alone goes on with the record. Where an option differs from the record's, every section "
        "that is made from it is cleared before the stage begins, and so are those that need such a section. "
        "Options are named as in [`RunRequest`](#runrequest)."
    )
    table = md.table(["section", "needs", "options it is made from"], rows)
    return "\n\n".join(["## What makes a section stale", text, table])


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(map(md.code, names)) or "none"


def _type(field: Field, classes: list[str]) -> str:
    """The type; a link where it names one of the page's classes."""
    named = [name for name in re.findall(r"\w+", field.type) if name in classes]
    return f"[{md.code(field.type)}](#{md.anchor(named[0])})" if named else md.code(field.type)


def _unit(cls: Class, field: Field) -> str:
    given = UNITS.get(f"{cls.name}.{field.name}")
    ends = [end for end in SUFFIXES if field.name.endswith(end)]
    if given is None and ends and "str" not in field.type:
        given = SUFFIXES[max(ends, key=len)]
    if given is None and "float" in field.type and "str" not in field.type:
        raise ValueError(
            f"{cls.name}.{field.name}: a figure without a unit; add it to UNITS in docs/generator/record.py"
        )
    return given or ""

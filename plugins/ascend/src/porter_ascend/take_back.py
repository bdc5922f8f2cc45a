"""What came back from an NPU host: every file that says something, and what of it does not fit together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath

from porter import (
    NOT_REPORTED,
    BadInput,
    Message,
    Returned,
    SentImages,
    SessionInfo,
    Text,
    one_line,
)
from porter_ascend import msame
from porter_ascend.doubts import doubts
from porter_ascend.found import Found, collect
from porter_ascend.kit import DOCUMENT, RESULTS
from porter_ascend.outputs import OutputFolder
from porter_ascend.scores import stated
from porter_ascend.speed import speed_of

_BATCH = re.compile(r"[-_.]?bs\d+$", re.IGNORECASE)
_DEVICE = re.compile(r"(?:device\d+_\d+|dumpOutput_device\d+)")
"""A folder of outputs that one of several devices left."""


def returned_from(folder: Path, runtime: str) -> Returned:
    """Read a kit with its results, or any folder with files of the tools. Raises `BadInput` where nothing is of use."""
    found = collect(folder)
    if found.is_empty:
        raise BadInput(_nothing(found))
    outputs = tuple(_outputs(found))
    speed = speed_of(found)
    info = _session(found, runtime)
    results = None if found.results is None else found.results.content
    kit = None if found.kit is None else found.kit.content
    return Returned(
        session=info,
        measured_on=one_line(f"{results.host}, {info.provider}") if results else NOT_REPORTED,
        speeds=tuple(speed.stated),
        outputs=outputs,
        stated=tuple(stated(one.path, one.content) for one in found.scores),
        dataset_runs=tuple(speed.dataset_runs),
        findings=doubts(found, speed),
        notes=(*speed.notes, *_of_the_scores(found)),
        gave=speed.gave,
        model_names=_model_names(found),
        spec=None if kit is None else kit.spec,
        made_from=() if kit is None else kit.made_from,
        sent=_sent(found),
        kit=None if found.kit is None else found.kit.path,
        kit_sha256="" if results is None else results.kit_sha256,
        batches=() if kit is None else kit.batches,
    )


def _session(found: Found, runtime: str) -> SessionInfo:
    """What ran, as far as the files say. Nothing is taken from what is usual."""
    results = None if found.results is None else found.results.content
    kit = None if found.kit is None else found.kit.content
    chip = results.soc_version if results else NOT_REPORTED
    return SessionInfo(
        runtime=runtime,
        version=one_line(results.cann if results else "") or NOT_REPORTED,
        precision=kit.precision if kit and results else NOT_REPORTED,
        provider=one_line(f"{chip}, device {results.device}" if results else chip),
        threads=None,
    )


def _outputs(found: Found) -> Iterator[OutputFolder]:
    """Every folder of outputs, those that several devices left of one run as one; one that cannot be listed, or has two
    files for one output, is noted as broken."""
    parts: dict[Path, list[Path]] = {}
    for path in found.outputs:
        parts.setdefault(path.parent if _DEVICE.fullmatch(path.name) else path, []).append(path)
    names = {_BATCH.sub("", name) for name in _named(found)} | set(_named(found))
    for folders in parts.values():
        for group in [folders] if _apart(folders) else [[folder] for folder in folders]:
            try:
                outputs = OutputFolder(*group)
            except BadInput as error:
                found.broken.append((group[0], str(error)))
                continue
            if not names.issuperset(name.removesuffix(msame.OUTPUT) for name in outputs.images):
                yield outputs  # else what msame makes up and names after the model


def _apart(folders: Sequence[Path]) -> bool:
    """Whether no two of these folders have outputs of one image."""
    names = [path.name for folder in folders for path in folder.iterdir()]
    return len(names) == len(set(names))


def _sent(found: Found) -> SentImages | None:
    if found.kit is None:
        return None
    kit = found.kit.content
    return SentImages(
        manifest=kit.full_manifest(),
        names=tuple(item.name for item in kit.items),
        reasons=tuple(item.reason for item in kit.items),
    )


def _model_names(found: Found) -> tuple[str, ...]:
    """An offline model is called after what it was exported from: `MODEL_VARIANT_bs16.om`."""
    return tuple(sorted({_BATCH.sub("", name) for name in _named(found)}))


def _named(found: Found) -> tuple[str, ...]:
    """The offline models that reports and logs name, without folder and suffix."""
    models = [
        *(read.content.model for read in found.pure_infer),
        *(read.content.model for read in (*found.summaries, *found.logs)),
        *(read.content.model for read in found.msame),
    ]
    return tuple(PurePath(model).name.removesuffix(".om") for model in models if model)


def _of_the_scores(found: Found) -> tuple[Text, ...]:
    return (Message("the scoring script rounds accuracy to two decimals"),) if found.scores else ()


def _nothing(found: Found) -> str:
    """That nothing was found, with the first reason where a file is broken."""
    broken = [f"{found.name(path)}: {reason}" for path, reason in found.broken]
    looked = (
        "supported: perf_vision_*.txt and PureInfer reports of benchmark, *_summary.json and logs of ais_bench, "
        "logs of msame, result.json, and outputs IMAGE_0.txt, .bin or .npy"
    )
    if found.kit is not None and not (found.folder / RESULTS).exists() and (found.folder / DOCUMENT).is_file():
        looked = f"this is a kit without {RESULTS}/. Run its script on the NPU host first"
    return f"{one_line(found.folder)}: nothing to import; {broken[0] if broken else looked}"

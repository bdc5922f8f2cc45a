"""A runtime that is measured elsewhere alone. Its folder holds `speed.json` ({batch: images/s}), `accuracy.json`
({metric: percent}) and `outputs/IMAGE.npy`; it is written against `porter` alone, as anyone's would be."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from porter import (
    NOT_REPORTED,
    Artefact,
    BadInput,
    BuildRequest,
    Doubt,
    ImportFinding,
    Kit,
    KitRequest,
    Latency,
    Manifest,
    Measured,
    Message,
    Metric,
    Missing,
    ModelSpec,
    OpenRequest,
    Preprocessed,
    Returned,
    ReturnedOutputs,
    Runtime,
    RuntimeOption,
    RuntimeStatus,
    SentImages,
    Session,
    SessionInfo,
    StatedAccuracy,
    StatedSpeed,
    TakeBackRequest,
    TensorSpec,
    file_digest,
    hookimpl,
)

IMAGES = 7


class Arrays(ReturnedOutputs):
    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self, ids: Sequence[str]) -> Sequence[str]:
        return [Path(one).stem for one in ids]

    def missing(self, names: Sequence[str]) -> Sequence[str]:
        return [name for name in names if not (self.path / f"{name}.npy").exists()]

    def extra(self, names: Sequence[str]) -> Sequence[str]:
        return sorted({path.stem for path in self.path.glob("*.npy")} - set(names))

    def read(self, name: str, outputs: Sequence[TensorSpec]) -> Mapping[str, np.ndarray]:
        try:
            return {outputs[0].name: np.load(self.path / f"{name}.npy")}
        except FileNotFoundError:
            raise BadInput(f"{name}.npy: no such file") from None


class Elsewhere(Runtime):
    name = "elsewhere"
    takes_back = True
    has_kit = True
    files = ("accuracy.txt",)
    options = (RuntimeOption(name="chip", default="alpha", help="Which chip it was.", choices=("alpha", "beta")),)

    def status(self) -> RuntimeStatus:
        return RuntimeStatus(available=False, advice="it is elsewhere")

    def build(self, request: BuildRequest) -> Artefact:
        raise Missing("it is elsewhere")

    def open(self, request: OpenRequest) -> Session:
        raise Missing("it is elsewhere")

    def take_back(self, request: TakeBackRequest) -> Returned:
        speed, accuracy = request.folder / "speed.json", request.folder / "accuracy.json"
        rates = json.loads(speed.read_text()) if speed.exists() else {}
        stated = json.loads(accuracy.read_text()) if accuracy.exists() else {}
        outputs = request.folder / "outputs"
        return Returned(
            session=SessionInfo(
                runtime=self.name,
                version="1",
                precision=NOT_REPORTED,
                provider=str(request.options["chip"]),
                threads=None,
            ),
            speeds=tuple(StatedSpeed(path=speed, batch=int(b), measured=measured(rate)) for b, rate in rates.items()),
            outputs=(Arrays(outputs),) if outputs.is_dir() else (),
            stated=(StatedAccuracy(path=accuracy, images=IMAGES, metrics=metrics(stated), within=0.05),)
            if stated
            else (),
            findings=(ImportFinding(kind=Doubt.MISSING, text=Message("nobody said how warm it was")),),
            notes=(Message("rates are those of a warm room"),),
            model_names=("tiny",),
            **sent(request.folder / "kit.json"),
        )

    def write_kit(self, request: KitRequest) -> Kit:
        inputs = request.folder / "inputs"
        inputs.mkdir(parents=True)
        names = [str(index) if array is not None else "" for index, array, _ in kept(request, inputs)]
        document = request.folder / "kit.json"
        content = Sent(spec=request.spec, manifest=request.manifest, names=tuple(names))
        document.write_bytes(msgspec.json.encode(content))
        return Kit(
            runtime=self.name,
            lacks="it is elsewhere",
            path=request.folder.name,
            list=f"{request.folder.name}/{document.name}",
            sha256=file_digest(document),
            script="run.sh",
            take_back=f"porter import {self.name} {request.folder}",
            target=str(request.options["chip"]),
            precision=request.precision,
            batches=request.batches,
            scored=request.scored,
            images=sum(map(bool, names)),
            size_bytes=0,
        )

    def documents(self, metrics: Sequence[Metric], spec: ModelSpec) -> Mapping[str, bytes]:
        return {"accuracy.txt": f"{metrics[0].name} {metrics[0].value}".encode()}


@dataclass(frozen=True, kw_only=True)
class Sent:
    """`kit.json`."""

    spec: ModelSpec
    manifest: Manifest
    names: tuple[str, ...]


def kept(request: KitRequest, folder: Path) -> Iterator[Preprocessed]:
    """Every image, which is written on the way."""
    for index, array, reason in request.images:
        if array is not None:
            np.save(folder / f"{index}.npy", array)
        yield index, array, reason


def sent(document: Path) -> dict[str, Any]:
    """What `Returned` has of a kit."""
    if not document.exists():
        return {}
    kit = msgspec.json.decode(document.read_bytes(), type=Sent)
    reasons = tuple("" if name else "cannot be read" for name in kit.names)
    images = SentImages(manifest=kit.manifest, names=kit.names, reasons=reasons)
    return {"spec": kit.spec, "sent": images, "kit": document, "batches": (1,)}


def measured(rate: float) -> Measured:
    return Measured(
        tool="stopwatch",
        input=Message("made-up values"),
        latency=Latency(),
        calls=None,
        warmup_runs=None,
        ms_per_image=1000 / rate,
        images_per_second=rate,
    )


def metrics(stated: Mapping[str, float]) -> tuple[Metric, ...]:
    return tuple(Metric(name=k, title=k.title(), value=value, count=IMAGES) for k, value in stated.items())


def plugin(runtime: Runtime) -> object:
    """A plugin that offers it."""

    class Plugin:
        @hookimpl
        def porter_runtimes(self) -> Sequence[Runtime]:
            return (runtime,)

    return Plugin()

"""`porter diagnose tensors`: another program's tensors against a model's reference pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from porter.cli.options import options
from porter.cli.plugin_files import open_registry
from porter.errors import BadInput, ExitCode, one_line
from porter.files.outward import say, say_json

if TYPE_CHECKING:
    from porter.hosting.registry import Registry

IMAGES = 8
"""Images that are compared where no number is given: a search on more takes longer and finds no more."""
_PATH = click.Path(path_type=Path)


@click.command()
@click.option(
    "--tensors", type=_PATH, required=True, metavar="DIR", help="Folder of tensors, one .npy or .bin per image."
)
@click.option("--out", type=_PATH, metavar="OUT", help="Run whose model, config and images are used.")
@click.option(
    "--model", metavar="NAME", help="Name of the model, if no run is given [default: the one that ships a sample]."
)
@click.option("--config", metavar="FILE", help="Config file of the model.")
@click.option("--data", metavar="DIR", help="Folder of the images that the tensors were made from.")
@click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", help=f"Number of images to compare [default: {IMAGES}]."
)
@options("diagnose tensors")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def tensors(**given: Any) -> int:
    """Check tensors that another program made of images.

    The tensors are compared with the reference preprocessing of a model. Likely causes of a difference are named:
    BGR instead of RGB, another resize, a missing standard deviation, …

    The exit code is 1 if a tensor differs, otherwise 0.
    """
    return check_tensors(TensorOptions(**given))


@dataclass(frozen=True, kw_only=True)
class TensorOptions:
    """The tensors, and what they are held against."""

    tensors: Path
    out: Path | None
    """A run, whose model, config and images are taken."""
    model: str | None
    config: str | None
    data: str | None
    limit: int | None
    as_json: bool


def check_tensors(asked: TensorOptions) -> int:
    """Compare and print; the exit code says whether any tensor differs."""

    from porter.contracts.requests import ModelRequest
    from porter.data.selection import evenly_spaced
    from porter.data.store import open_store
    from porter.diagnose.preprocessing.explain import explain_preprocessing, read_samples
    from porter.diagnose.preprocessing.user_tensors import read_user_tensors, with_tensors
    from porter.pipeline.judge.causes import blind_spots, preprocessing_causes

    registry = open_registry()
    subject = _subject(asked, registry)
    store = open_store(subject.data)
    hooks = registry.model(subject.model)[1]
    spec = hooks.describe(ModelRequest(model=subject.model, config=subject.config)).preprocess
    if spec is None or not spec.is_photo:
        raise BadInput(
            f"porter diagnose tensors: the preprocessing of {one_line(subject.model)} is no resize and centre crop "
            "that usual faults are known of. Use porter verify, which compares it with its reference"
        )
    every = store.list()
    ids = with_tensors(asked.tensors, every)
    chosen = [ids[index] for index in evenly_spaced(len(ids), min(len(ids), asked.limit or IMAGES))]
    arrays = dict(zip(chosen, read_user_tensors(asked.tensors, chosen, spec), strict=True))
    finding = explain_preprocessing(read_samples(subject.data, chosen, lambda image: arrays[image.id]), spec)
    if asked.as_json:
        say_json(finding)
        return _code(finding.identical)
    against = f"the reference pipeline of {one_line(subject.model)}, {one_line(spec.id)}"
    if finding.identical:
        say(f"{finding.images} tensors agree with {against}")
        lines = blind_spots(finding)
    else:
        say(f"{finding.differing} of {finding.images} tensors differ from {against}")
        lines = preprocessing_causes(finding)
    say(*(f"    {one_line(line)}" for line in lines))
    where = one_line(subject.data)
    say(f"    {len(ids)} of the {len(every)} images in {where} have a tensor; {len(chosen)} were compared")
    return _code(finding.identical)


@dataclass(frozen=True)
class _Subject:
    """Whose pipeline, and which images."""

    model: str
    config: Path | None
    data: str


def _subject(asked: TensorOptions, registry: Registry) -> _Subject:
    """Those of the run, or of the options; what neither names is the model's own sample."""
    from porter.contracts.requests import Shipped
    from porter.pipeline.job.job import Job
    from porter.runfolder.record_file import read_record

    if asked.out is not None:
        if asked.model is not None or asked.config is not None:
            raise BadInput("--out: the run has its own model and config. Omit --model and --config")
        request = read_record(asked.out).request
        files = Job(folder=asked.out, request=request, registry=registry).files
        return _Subject(request.model, files.config, _required(asked.data or files.data))
    name = asked.model or _only_sample(registry)
    shipped = registry.model(name)[0].shipped or Shipped()
    if asked.config is not None:
        return _Subject(name, Path(asked.config), _required(asked.data))
    return _Subject(name, shipped.config, _required(asked.data or shipped.data))


def _only_sample(registry: Registry) -> str:
    """The model that ships images, where there is one such model alone."""
    names = [name for name in registry.models() if (shipped := registry.model(name)[0].shipped) and shipped.data]
    if len(names) != 1:
        listed = ", ".join(names) or "none"
        raise BadInput(
            "no run and no model. Use --out OUT for a run, or --model NAME with --data DIR; "
            f"models that ship images: {listed}"
        )
    return names[0]


def _required(data: str | Path | None) -> str:
    if data is None:
        raise BadInput("no images. Use --data DIR for the images that the tensors were made from")
    return str(data)


def _code(sound: bool) -> int:
    return int(ExitCode.OK if sound else ExitCode.VERDICT_FAILED)

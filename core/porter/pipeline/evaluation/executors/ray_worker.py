"""One worker: a process with a runtime session of its own, which answers the shards that it is given."""

from __future__ import annotations

import pickle
import platform
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from porter.errors import BadInput, Missing, one_line
from porter.hosting.manager import create_registry
from porter.hosting.plugin_file import PluginFile, require_usable
from porter.machine import host as machine
from porter.pipeline.evaluation.answer import answer
from porter.pipeline.evaluation.checking import Checking
from porter.pipeline.evaluation.executors.base import Work
from porter.pipeline.evaluation.executors.bundle import Bundle, Needed, needed
from porter.pipeline.evaluation.judging import judge
from porter.pipeline.evaluation.prepare import prepare
from porter.pipeline.evaluation.shapes import JudgedBatch
from porter.pipeline.evaluation.subject import Subject
from porter.pipeline.job.job import Dataset, Job
from porter.pipeline.job.provenance import inputs_of, plugins_of
from porter.pipeline.judge.tolerance import Bound
from porter.records.artefact import SessionInfo
from porter.records.manifest import Item, Manifest
from porter.records.record import HELPER, PluginUse
from porter.records.request import RunRequest
from porter.records.spec import ModelSpec

INPUTS = "inputs"
"""Folder of a bundle in which the model's own files lie."""


@dataclass(frozen=True, kw_only=True)
class Installed:
    """What decides the last digits of an answer beside the inputs."""

    packages: tuple[str, ...]
    processor: str
    plugins: tuple[PluginUse, ...]


@dataclass(frozen=True, kw_only=True)
class Order:
    """All that a worker must know before the first shard."""

    request: RunRequest
    """With the number of threads filled in."""
    spec: ModelSpec
    subject: Subject
    folder: str
    """The run's folder on the machine of the run."""
    root: str
    """Absolute path or URL of the images."""
    plugins: tuple[tuple[str, object], ...] | None
    """Plugins that were handed to the run as objects; None: those installed."""
    plugin_files: tuple[PluginFile, ...]
    """Plugins in one file, with their content: no worker needs the file."""
    disabled: tuple[str, ...]
    installed: Installed
    """What the machine of the run has; the worker's must have the same."""
    bundle: Bundle
    keep: int
    """How many values of each output a trace holds."""
    bound: Bound | None
    """As `Work` has it."""


@dataclass(frozen=True, kw_only=True)
class Arrived:
    """What a worker says of its machine."""

    node: str
    processor: str
    lacks_files: bool
    """Whether the bundle must be sent to it."""


@dataclass(frozen=True, kw_only=True)
class Opened:
    """What a worker says of its session."""

    info: SessionInfo
    batch: int
    """Images that it takes at a time."""


class Worker:
    """Used through Ray, which runs one call at a time.

    Args:
        search_path: folders that the run imports from. Where the worker's machine has them they are searched last, so
            that a plugin which the calling program found in a folder of its own is found here.
    """

    def __init__(self, search_path: Sequence[str] = ()) -> None:
        sys.path += [folder for folder in search_path if folder not in sys.path and Path(folder).exists()]
        machine.let_threads_sleep()
        self._open = ExitStack()
        self._answered = False

    def arrive(self, packed: bytes) -> Arrived:
        """Look around, with an `Order` as `cloudpickle` writes it. Raises `Missing` where its modules cannot be
        imported here, and `BadInput` where packages or plugins are others than those of the run."""
        node = platform.node()
        self._order = order = _unpacked(node, packed)
        self._registry = create_registry(order.plugins, files=order.plugin_files, disabled=order.disabled)
        require_usable(self._registry.infos)
        folder = Path(order.folder)
        job = Job(folder=folder, request=order.request, registry=self._registry, described=order.spec)
        here = installed(job, order.subject)
        _require_same(node, order.installed, here)
        lacks = not (order.bundle.lies_there or order.bundle.was_sent)
        return Arrived(node=node, processor=here.processor, lacks_files=lacks)

    def open(self, contents: Sequence[Sequence[Any]] | None) -> Opened:
        """Open the session, with the files as they lie here, or as they are sent: for each, objects of Ray's store."""
        order = self._order
        if contents is not None:
            import ray

            order.bundle.receive(map(ray.get, pieces) for pieces in contents)
        folder, request = _at_hand(order)
        self._job = Job(folder=folder, request=request, registry=self._registry, described=order.spec)
        self._session = self._open.enter_context(order.subject.opened(self._job))
        return Opened(info=self._session.info, batch=max(order.request.evaluation_batch, self._session.least_rows))

    def answer(self, start: int, items: tuple[Item, ...]) -> list[JudgedBatch]:
        """What becomes of consecutive images, of which `start` is the place of the first."""
        manifest = Manifest(root=self._order.root, items=items, found=len(items), selection="", labels_from="")
        job, data = self._job, Dataset(self._job, manifest)
        check, bound = None, self._order.bound
        if bound is not None:
            threads = not self._answered
            check = Checking(job, self._session, bound.tolerance, len(items) - 1, threads=threads)
        self._answered = True
        stream = answer(job, self._session, prepare(data), job.request.evaluation_batch, check)
        judged = (judge(data, answered, self._order.keep) for answered in stream)
        return [replace(batch, start=batch.start + start) for batch in judged]


def order_for(work: Work) -> Order:
    """What the workers of an evaluation are told."""
    job = work.job
    infos = job.registry.infos
    return Order(
        request=replace(job.request, threads=job.threads),
        spec=job.spec,
        subject=work.subject,
        folder=str(job.folder.absolute()),
        root=job.data.manifest.root,
        plugins=job.registry.handed,
        plugin_files=job.registry.files,
        disabled=tuple(info.name for info in infos if info.state == "disabled"),
        installed=installed(job, work.subject),
        bundle=Bundle(files=_files(job, work.subject)),
        keep=work.sources.keep,
        bound=work.bound,
    )


def installed(job: Job, subject: Subject) -> Installed:
    """What this machine has."""
    *packages, processor = job.versions
    roles = {"model", "task"} if subject.artefact is None else {"model", "task", f"runtime {subject.artefact.runtime}"}
    uses = tuple(use for use in plugins_of(job) if use.role in roles or use.role.startswith(f"{HELPER} "))
    return Installed(packages=tuple(packages), processor=processor, plugins=uses)


def _files(job: Job, subject: Subject) -> tuple[Needed, ...]:
    """An artefact's own files, or what the model is loaded from."""
    if subject.artefact is not None:
        return tuple(needed(job.folder / file.path, file.path, file.sha256) for file in subject.artefact.files)
    paths = {"config": job.files.config, "checkpoint": job.checkpoint}
    digests = {entry.role: entry.sha256 for entry in inputs_of(job)}
    return tuple(
        needed(path, f"{INPUTS}/{role}/{path.name}", digests[role]) for role, path in paths.items() if path is not None
    )


def _at_hand(order: Order) -> tuple[Path, RunRequest]:
    """The folder that the artefact lies in on this machine, and the request with the model's files as they lie here."""
    there = order.bundle.lies_there
    folder = Path(order.folder) if there else order.bundle.folder
    if order.subject.artefact is not None:
        return folder, order.request
    paths = {
        file.place.split("/")[1]: file.origin if there else str(folder / file.place) for file in order.bundle.files
    }
    request = replace(
        order.request,
        config=paths.get("config"),
        checkpoint=paths.get("checkpoint"),
        data=None,
        labels=None,
        class_map=None,
    )
    return folder, request


def _unpacked(node: str, packed: bytes) -> Order:
    try:
        order: Order = pickle.loads(packed)
    except Exception as error:  # a module can raise anything while it is imported
        raise Missing(
            f"worker on {node}: the run's modules cannot be imported: {one_line(error)}. "
            "Install the same on every machine"
        ) from None
    return order


def _require_same(node: str, run: Installed, here: Installed) -> None:
    """Raise `BadInput` where a worker could answer otherwise than the machine of the run."""
    differs = [f"{there or 'nothing'}, the run has {ours}" for ours, there in _pairs(run.packages, here.packages)]
    uses = {use.role: use for use in here.plugins}
    others = [use for use in run.plugins if uses.get(use.role) != use]
    differs += [f"other code of the {use.role} plugin {use.plugin!r}" for use in others]
    if differs:
        raise BadInput(f"worker on {node}: it has {'; '.join(differs)}. Install the same on every machine")


def _pairs(run: tuple[str, ...], here: tuple[str, ...]) -> list[tuple[str, str]]:
    """The packages of the run that are others here, or absent."""
    versions = {package.split()[0]: package for package in here}
    return [(package, versions.get(package.split()[0], "")) for package in run if package not in here]

"""The base of runtimes that do their work in a worker."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from porter.contracts.probe import Probe
from porter.contracts.progress import Progress
from porter.contracts.runtime import BuildRequest, OpenRequest, ProbeRequest, Runtime, RuntimeStatus, Session
from porter.contracts.worker_environment import WorkerEnvironment
from porter.errors import PluginError, PorterError, one_line
from porter.files.hashes import file_digest
from porter.files.npz import write_npz
from porter.records.artefact import Artefact, ArtefactPart
from porter.records.environment_lock import EnvironmentLock
from porter.records.spec import ModelSpec
from porter.runfolder.layout import LOGS
from porter.worker.environments import lock_of, named_interpreter, place_of, python_of
from porter.worker.process import PATIENCE, Errand, Worker, call_once
from porter.worker.worker_session import WorkerProbe, WorkerSession, close_all, session_info

if TYPE_CHECKING:
    import numpy as np


class WorkerRuntime(Runtime):
    """A runtime whose package needs another interpreter, or other versions of what porter needs itself.

    The script runs there, imports nothing of porter, and has plain functions, each of one dict: `build`, `open` and,
    where `probes` is true, `probe`; a subclass calls further ones with `call`.
    """

    environment: WorkerEnvironment
    """Where the script runs."""
    script: Path
    """The script."""
    package: str = ""
    """The distribution in the environment whose version is the runtime's; empty: `info` of the session says it."""
    offers: tuple[str, ...] = ("fp32",)
    """Precisions that it can build."""
    devices: tuple[str, ...] = ("CPU",)
    """Devices that it has, for `porter doctor`."""
    parallel: bool = False
    """Whether each stream has a process of its own, which holds the model once more; else one process answers all."""
    patience: float = PATIENCE
    """Seconds without an answer and without a printed word, after which a call hangs and its process is ended."""

    def status(self) -> RuntimeStatus:
        """Whether the interpreter is there; the environment is made when it is first needed, not to answer this."""
        try:
            if self.environment.requirements is None:
                named_interpreter(self.name, self.environment)
            else:
                place_of(self.name, self.environment)
        except PorterError as error:
            return RuntimeStatus(available=False, advice=str(error))
        return RuntimeStatus(available=True, version=self.version(), devices=self.devices, precisions=self.offers)

    def prepare(self, progress: Progress) -> None:
        python_of(self.name, self.environment, progress)

    def lock(self) -> EnvironmentLock | None:
        return lock_of(self.name, self.environment)

    def version(self) -> str:
        """Version of `package` in the environment; "not made yet" where there is none to look into."""
        lock = self.lock()
        if lock is None:
            return "not made yet"
        wanted = self.package.lower().replace("_", "-")
        return next((one.partition("==")[2] for one in lock.packages if one.partition("==")[0] == wanted), "")

    def call(self, name: str, request: Mapping[str, Any], *, progress: Progress | None = None, **how: Any) -> Any:
        """One call of a function of the script, in a process of its own; what it returns, as JSON has it."""
        return call_once(self._errand(progress or Progress(), None), name, dict(request), **how)

    def build(self, request: BuildRequest) -> Artefact:
        """`build` of the script, which writes files into `folder` and answers `{"files": […], "command": "…"}`: the
        file that is opened first, then those that belong to it."""
        stem = f"{request.onnx.stem}-{self.name}-{request.precision}" + (f"-bs{request.batch}" if request.batch else "")
        errand = self._errand(request.progress, request.folder.parent / LOGS / f"build-{stem}.log")
        with (
            tempfile.TemporaryDirectory(dir=request.folder, prefix=".worker.", suffix=".part") as folder,
            tempfile.TemporaryDirectory(prefix="porter-calibration-") as images,
        ):
            told = call_once(
                errand,
                "build",
                {
                    **_model(request.spec),
                    "onnx": str(request.onnx.absolute()),
                    "folder": str(Path(folder).absolute()),
                    "name": stem,
                    "precision": request.precision,
                    "batch": request.batch,
                    "target": request.target,
                    "options": dict(request.options),
                    "calibration": _written(request.calibration(), Path(images)) if request.calibration else [],
                },
            )
            names = self._files(told, Path(folder))
            for name in names:
                Path(folder, name).replace(request.folder / name)
        first, *parts = (_part(request.folder, name) for name in names)
        return Artefact(
            runtime=self.name,
            precision=request.precision,
            path=first.path,
            batch=request.batch if self.fixed_batch else None,
            command=str(told.get("command", "")),
            sha256=first.sha256,
            size_bytes=first.size_bytes,
            parts=tuple(parts),
            environment=self.lock(),
        )

    def open(self, request: OpenRequest) -> Session:
        """`open` of the script, in as many processes as `parallel` says."""
        processes = request.streams if self.parallel else 1
        threads = max(1, request.threads // processes)
        lock = self.lock()
        wanted = {
            **_model(request.spec),
            "path": str(request.path.absolute()),
            "precision": request.artefact.precision,
            "batch": request.batch or request.artefact.batch,
            "threads": threads,
            "provider": request.provider,
            "yielding": request.yielding,
            "options": dict(request.options),
            "cache": None if request.cache is None else str(request.cache.absolute()),
        }
        workers: list[Worker] = []
        try:
            for number in range(processes):
                log = _root(request) / LOGS / f"{request.artefact.id}{f'-{number + 1}' if number else ''}.log"
                workers.append(Worker(self._errand(Progress(), log, threads)))
                told = workers[-1].call("open", wanted, of="opened")
            sha256 = "" if lock is None else lock.sha256
            info = session_info(self.name, self.version(), told, request, processes, sha256)
        except BaseException:
            close_all(workers)
            raise
        return WorkerSession(info, workers)

    def probe(self, request: ProbeRequest) -> Probe:
        """`probe` of the script."""
        if not self.probes:
            return super().probe(request)
        worker = Worker(self._errand(Progress(), None, request.threads))
        try:
            wanted = {
                **({} if request.spec is None else _model(request.spec)),
                "onnx": str(request.onnx.absolute()),
                "path": None if request.path is None else str(request.path.absolute()),
                "precision": request.precision,
                "threads": request.threads,
                "target": request.target,
                "options": dict(request.options),
            }
            worker.call("probe", wanted, of="opened")
        except BaseException:
            worker.close()
            raise
        return WorkerProbe(f"{self.name} {request.precision}", worker)

    def _errand(self, progress: Progress, log: Path | None, threads: int | None = None) -> Errand:
        return Errand(
            runtime=self.name,
            python=python_of(self.name, self.environment, progress),
            script=self.script,
            log=log,
            patience=self.patience,
            threads=threads,
        )

    def _files(self, told: Any, folder: Path) -> list[str]:
        """The names of the files that a build says it wrote. Raises `PluginError` where they are not there."""
        about = f"runtime {self.name}: build() of {self.script.name}"
        files = told.get("files") if isinstance(told, Mapping) else None
        if not isinstance(files, list) or not files:
            raise PluginError(f"{about} must return {{'files': [NAME, …], 'command': TEXT}}")
        for name in files:
            path = folder / str(name)
            if path.parent != folder or path.is_symlink() or not path.is_file():
                raise PluginError(f"{about} wrote no file {one_line(name)!r} in the folder that it was given")
        return [str(name) for name in files]


def _model(spec: ModelSpec) -> dict[str, Any]:
    """The tensors of a model, for a script."""
    return {
        side: [{"name": one.name, "shape": list(one.shape), "dtype": one.dtype} for one in tensors]
        for side, tensors in (("inputs", spec.inputs), ("outputs", spec.outputs))
    }


def _part(models: Path, name: str) -> ArtefactPart:
    path = models / name
    return ArtefactPart(path=f"{models.name}/{name}", sha256=file_digest(path), size_bytes=path.stat().st_size)


def _root(request: OpenRequest) -> Path:
    """The run's folder: the artefact's path is relative to it."""
    return request.path.absolute().parents[len(Path(request.artefact.path).parts) - 1]


def _written(samples: Iterable[Mapping[str, np.ndarray]], folder: Path) -> list[str]:
    """Calibration samples as archives that numpy reads, by input name, so that they are never in memory together."""
    paths = []
    for number, feeds in enumerate(samples):
        paths.append(folder / f"{number:06}.npz")
        write_npz(paths[-1], feeds)
    return list(map(str, paths))

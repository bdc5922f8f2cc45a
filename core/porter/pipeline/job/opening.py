"""What a job asks of plugins: the model in memory, artefacts, sessions. A fault is laid at the plugin that made it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from porter.contracts.requests import Loaded, LoadRequest
from porter.contracts.runtime import BuildRequest, OpenRequest, Runtime, Session
from porter.contracts.task import Scorer, Task
from porter.errors import BadInput, PluginError, one_line
from porter.files.hashes import file_digest
from porter.hosting.guard import guarded
from porter.hosting.plugin_faults import raise_as_plugin_error
from porter.pipeline.job.as_asked import require_as_asked
from porter.records.artefact import Artefact, SessionInfo
from porter.runfolder.layout import CACHE
from porter.runfolder.written import changed

if TYPE_CHECKING:
    from porter.pipeline.job.job import Job


def task_of(job: Job) -> Task:
    """The model's task, whose faults are its plugin's."""
    name = job.spec.task
    plugin, what = job.registry.provider_of("task", name), f"task {name!r}"

    def returned(result: object) -> object:
        return guarded(result, plugin, f"the scorer of {what}") if isinstance(result, Scorer) else result

    return guarded(job.registry.task(name), plugin, what, returned)


def load_model(job: Job) -> Loaded:
    """The model in memory. Raises `PluginError` where a part of it is in training mode."""
    loaded = job.hooks.load(
        LoadRequest(
            spec=job.spec,
            config=job.files.config,
            checkpoint=job.checkpoint,
            weights=job.request.weights,
            trust_checkpoint=job.request.trust_checkpoint,
            threads=job.threads,
        )
    )
    if loaded.module is not None and hasattr(loaded.module, "named_modules"):
        training = [name or "the model itself" for name, part in loaded.module.named_modules() if part.training]
        if training:
            raise PluginError(
                f"plugin {job.hooks.plugin!r}: porter_load left {len(training)} modules in training mode "
                f"(first: {training[0]}); call .eval() on the model"
            )
    return loaded


def reference_of(job: Job) -> Session:
    """The model as it was loaded, ready to run: by the plugin's own session, or by PyTorch."""
    session = job.loaded.reference
    if session is None:
        from porter.builtin.pytorch import TorchSession

        session = TorchSession(job.loaded.module, tuple(t.name for t in job.spec.outputs), job.threads)
    info = session_info(session, job.hooks.plugin, "the reference")
    if info.threads not in (None, job.threads) and "threads" not in info.announced:
        raise PluginError(
            f"plugin {job.hooks.plugin!r}: the session of the reference was asked for {job.threads} threads "
            f"(LoadRequest.threads) and says that it uses {info.threads}"
        )
    return session


def build_artefact(job: Job, runtime: Runtime, request: BuildRequest) -> Artefact:
    """An artefact of that runtime. Raises `PluginError` where it is none, or another runtime's."""
    plugin, what = job.registry.provider_of("runtime", runtime.name), f"build() of runtime {runtime.name!r}"
    try:
        artefact = runtime.build(request)
    except (Exception, SystemExit) as error:
        raise_as_plugin_error(error, plugin, what)
    if not isinstance(artefact, Artefact):
        raise PluginError(f"plugin {plugin!r}: {what} returned {type(artefact).__name__}, it must return Artefact")
    if (artefact.runtime, artefact.precision) != (runtime.name, request.precision):
        made = one_line(f"{artefact.runtime} {artefact.precision}")
        raise PluginError(f"plugin {plugin!r}: {what} at {request.precision} made an artefact of {made}")
    return replace(artefact, options=dict(request.options))


def require_built(job: Job, artefact: Artefact) -> None:
    """Raise `BadInput` where a file of the artefact is gone, or is not what this run built."""
    for name in changed(job.folder, artefact.files):
        file_digest(job.folder / name)  # raises where it is gone
        raise BadInput(f"{job.folder / name}: its content is not what this run built; export it again")


def open_artefact(
    job: Job,
    artefact: Artefact,
    *,
    folder: Path | None = None,
    check: bool = True,
    batch: int | None = None,
    threads: int | None = None,
    streams: int | None = None,
    at_most: bool = False,
    yielding: bool = False,
) -> Session:
    """Open an artefact of this run; `batch` is the only size that will be fed, None: any.

    `folder` is where its files lie, None: the run's folder. `threads` and `streams` take the place of what was asked
    for; `at_most`: nobody asked for so many streams, and the session may use fewer. `yielding`: see `OpenRequest`.

    Raises `NotAsAsked` where another precision, number of threads or streams, provider or batch size is in use than was
    asked for, and the session does not announce it.

    `check` False leaves out `require_built`, and what a runtime has kept: for a file that may have changed, and where
    loading is timed.
    """
    if check:
        require_built(job, artefact)
    request = OpenRequest(
        artefact=artefact,
        path=(folder or job.folder) / artefact.path,
        spec=job.spec,
        options=artefact.options,
        threads=threads or job.threads,
        streams=streams or job.streams,
        yielding=yielding,
        provider=job.request.provider,
        batch=batch,
        cache=job.folder / CACHE if check else None,
    )
    runtime = job.registry.runtime(artefact.runtime)
    plugin, what = job.registry.provider_of("runtime", runtime.name), f"open() of runtime {runtime.name!r}"
    try:
        session = runtime.open(request)
    except (Exception, SystemExit) as error:
        raise_as_plugin_error(error, plugin, what)
    if not isinstance(session, Session):
        raise PluginError(f"plugin {plugin!r}: {what} returned {type(session).__name__}, it must return a Session")
    try:
        require_as_asked(request, session_info(session, plugin, f"runtime {runtime.name!r}"), at_most=at_most)
    except BaseException:
        session.close()
        raise
    return session


def session_info(session: Session, plugin: str, whose: str) -> SessionInfo:
    """What the session says of itself. Raises `PluginError` where it does not say it rightly."""
    what = f"the session of {whose}"
    try:
        info = session.info
    except (Exception, SystemExit) as error:
        raise_as_plugin_error(error, plugin, f"`info` of {what}")
    if not isinstance(info, SessionInfo):
        raise PluginError(f"plugin {plugin!r}: `info` of {what} is {type(info).__name__}, it must be SessionInfo")
    return info

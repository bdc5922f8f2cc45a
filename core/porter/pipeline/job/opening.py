"""What a job asks of runtimes: artefacts and sessions. A fault is laid at the plugin that made it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from porter.contracts.runtime import BuildRequest, OpenRequest, Runtime, Session
from porter.errors import BadInput, PluginError, one_line
from porter.files.hashes import file_digest
from porter.hosting.plugin_faults import raise_as_plugin_error
from porter.pipeline.job.as_asked import require_as_asked
from porter.pipeline.job.job import Job
from porter.pipeline.job.loading import session_info
from porter.records.artefact import Artefact
from porter.runfolder.layout import APART, CACHE
from porter.runfolder.written import changed


def build_artefact(job: Job, runtime: Runtime, request: BuildRequest) -> Artefact:
    """An artefact of that runtime. Raises `PluginError` where it is none, or another runtime's."""
    plugin, what = job.registry.provider_of("runtime", runtime.name), f"build() of runtime {runtime.name!r}"
    try:
        artefact = runtime.build(request)
    except (Exception, SystemExit) as error:
        raise_as_plugin_error(error, plugin, what)
    if not isinstance(artefact, Artefact):
        raise PluginError(f"plugin {plugin!r}: {what} returned {type(artefact).__name__}, must return Artefact")
    if (artefact.runtime, artefact.precision) != (runtime.name, request.precision):
        made = one_line(f"{artefact.runtime} {artefact.precision}")
        raise PluginError(f"plugin {plugin!r}: {what} at {request.precision} made an artefact of {made}")
    return replace(artefact, options=dict(request.options))


def require_built(job: Job, artefact: Artefact) -> None:
    """Raise `BadInput` where a file of the artefact is gone, or is not what this run built."""
    for name in changed(job.folder, artefact.files):
        file_digest(job.folder / name)  # raises where it is gone
        raise BadInput(f"{job.folder / name}: changed after this run built it. Run `porter export` again")


@contextmanager
def files_alone(job: Job, artefact: Artefact) -> Iterator[Path]:
    """A folder with the artefact's files and nothing else: what a session opens there is what ships."""
    folder = job.folder / APART
    shutil.rmtree(folder, ignore_errors=True)
    try:
        for file in artefact.files:
            place = folder / file.path
            place.parent.mkdir(parents=True, exist_ok=True)
            try:
                place.hardlink_to(job.folder / file.path)
            except FileNotFoundError:  # whoever opens the artefact names it
                continue
            except OSError:  # a file system without such links
                shutil.copyfile(job.folder / file.path, place)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def open_artefact(
    job: Job,
    artefact: Artefact,
    *,
    folder: Path | None = None,
    check: bool = True,
    cached: bool = True,
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
    loading is timed. `cached` False leaves out the latter alone: for a folder that somebody else may have made.
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
        cache=job.folder / CACHE if check and cached else None,
    )
    runtime = job.registry.runtime(artefact.runtime)
    plugin, what = job.registry.provider_of("runtime", runtime.name), f"open() of runtime {runtime.name!r}"
    try:
        session = runtime.open(request)
    except (Exception, SystemExit) as error:
        raise_as_plugin_error(error, plugin, what)
    if not isinstance(session, Session):
        raise PluginError(f"plugin {plugin!r}: {what} returned {type(session).__name__}, must return a Session")
    try:
        require_as_asked(request, session_info(session, plugin, f"runtime {runtime.name!r}"), at_most=at_most)
    except BaseException:
        session.close()
        raise
    return session

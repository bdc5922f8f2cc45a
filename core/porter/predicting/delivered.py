"""A delivered artefact, opened with what its run's folder says of it and nothing of the model's own code but hooks.

The folder may be a stranger's: its record is checked as a plugin's answers are, its files against the record.
"""

from __future__ import annotations

import math
from pathlib import Path

from porter.contracts.progress import Progress
from porter.contracts.runtime import Runtime
from porter.documents.results import results
from porter.errors import BadInput, Missing, did_you_mean, one_line
from porter.files.limits import COUNTS, over_count
from porter.files.whole import require_no_way_out
from porter.hosting.guard import guarded
from porter.hosting.model_hooks import ModelHooks
from porter.hosting.registry import Registry
from porter.hosting.specs import SpecFault, checked_spec
from porter.pipeline.job.job import Job
from porter.pipeline.job.opening import open_artefact
from porter.predicting.predictor import Predictor
from porter.records.artefact import Artefact
from porter.records.record import RunRecord
from porter.records.request import RunRequest
from porter.records.spec import ModelSpec
from porter.runfolder.layout import LOGS, RECORD_NAME


def open_delivered(
    folder: Path,
    record: RunRecord,
    registry: Registry,
    *,
    artefact: str | None = None,
    threads: int | None = None,
    provider: str | None = None,
    progress: Progress | None = None,
) -> Predictor:
    """Open an artefact of a run's folder to predict with; None: the one that stands first in the results table.

    Raises `BadInput` where the folder has no such artefact or a file of it changed, and `Missing` where its runtime,
    its task, or a plugin that answers hooks for this model is not installed.
    """
    chosen = artefact_of(folder, record, artefact)
    about = one_line(folder / RECORD_NAME)
    hooks = _hooks(about, record, registry)
    spec = _spec(about, record, hooks)
    request = RunRequest(model=record.request.model, threads=threads, provider=provider)
    job = Job(folder=folder, request=request, registry=registry, described=spec, answering=hooks)
    problem = job.task.misfit(spec)
    if problem:
        raise BadInput(f"{about}: model.{one_line(problem)}")
    runtime = guarded(
        registry.runtime(chosen.runtime),
        registry.provider_of("runtime", chosen.runtime),
        f"runtime {chosen.runtime!r}",
    )
    _require_options(about, chosen, runtime)
    runtime.require(chosen.precision, provider)
    require_no_way_out(folder, (LOGS,))
    runtime.prepare(progress or Progress())
    return Predictor(job, chosen, open_artefact(job, chosen, cached=False))


def artefact_of(folder: Path, record: RunRecord, wanted: str | None) -> Artefact:
    """The artefact of that id. Raises `BadInput`, naming those that there are."""
    known = {one.id: one for one in record.artefacts}
    if not known:
        raise BadInput(f"{one_line(folder / RECORD_NAME)}: this run has no artefact here")
    if wanted is None:
        rows = [row.name for row in sorted(results(record), key=lambda row: not row.chosen)]
        return known[next((name for name in rows if name in known), next(iter(known)))]
    if wanted not in known:
        hint = did_you_mean(wanted, known) or "."
        raise BadInput(
            f"{one_line(folder)}: no artefact {one_line(wanted)!r}{hint} Available: {one_line(', '.join(known))}"
        )
    return known[wanted]


def _hooks(about: str, record: RunRecord, registry: Registry) -> ModelHooks:
    """Those of the plugins that answered in the run, and of the task's. Raises `Missing` where one is not here."""
    if record.model is None or record.hooks is None:
        raise BadInput(f"{about}: does not say which hooks the model needs. Repeat the run with this porter")
    for plugin, needed in record.hooks.items():
        lacking = [hook for hook in needed if hook not in registry.hooks_named(plugin)]
        if lacking:
            raise Missing(
                f"{about}: the model needs {one_line(lacking[0])} of the plugin {one_line(plugin)!r}, which is not "
                "installed or does not load (see `porter plugins`). Install it, or give its file by --plugin"
            )
    model = next((use.plugin for use in record.plugins if use.role == "model"), record.request.model)
    task = registry.provider_of("task", record.model.task)
    return registry.delivered(one_line(model), {*record.hooks, task})


def _spec(about: str, record: RunRecord, hooks: ModelHooks) -> ModelSpec:
    """The model as the record has it. Raises `BadInput` where nothing can be preprocessed by it."""
    assert record.model is not None
    try:
        spec = checked_spec(
            record.model,
            own_input=_is_own(hooks, "porter_infer"),
            own_pixels=_is_own(hooks, "porter_preprocess"),
            own_answer=_is_own(hooks, "porter_postprocess"),
        )
    except SpecFault as fault:
        raise BadInput(f"{about}: model.{fault}") from None
    if spec.preprocess is not None and math.prod(spec.preprocess.crop) > COUNTS["pixels of an image"]:
        raise BadInput(f"{about}: model.preprocess.crop: {over_count('pixels of an image')}")
    return spec


def _is_own(hooks: ModelHooks, hook: str) -> bool:
    return hooks.implementer(hook) is not None


def _require_options(about: str, artefact: Artefact, runtime: Runtime) -> None:
    """Raise `BadInput` for a runtime's option that it does not declare so."""
    declared = {option.name: option for option in runtime.options}
    for name, value in artefact.options.items():
        option = declared.get(name)
        if (
            option is None
            or type(value) is not type(option.default)
            or (option.choices and value not in option.choices)
        ):
            raise BadInput(
                f"{about}: artefact {one_line(artefact.id)!r} has the option {one_line(name)}={one_line(value)}, which "
                f"runtime {runtime.name} does not take here"
            )

"""What a job is made from, as the record has it: input files by content, plugins by version."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

from porter.pipeline.job.inputs import input_file
from porter.pipeline.job.job import Job
from porter.records.message import Message, Text
from porter.records.record import HELPER, InputFile, PluginUse, RunRecord

SAMPLE_HOOKS = ("porter_read", "porter_preprocess", "porter_infer", "porter_postprocess")
"""What becomes of a sample, in order."""
SHIPPED_ROLES = {
    "config": Message("config"),
    "checkpoint": Message("checkpoint"),
    "data": Message("data"),
    "labels": Message("labels"),
}


def inputs_of(job: Job) -> tuple[InputFile, ...]:
    """Every input file with its hash."""
    roles = {role: getattr(job.files, role) for role in ("config", "checkpoint", "labels", "class_map")}
    roles["checkpoint"] = job.checkpoint
    return tuple(
        input_file(role, path, getattr(job.request, role), shipped=role in job.files.shipped)
        for role, path in roles.items()
        if path is not None
    )


def plugins_of(job: Job) -> tuple[PluginUse, ...]:
    """Which version of which plugin answers."""
    uses = [job.registry.use("model", job.hooks.plugin)]
    uses += [job.registry.use(f"{HELPER} {name}", name) for name in job.registry.helpers()]
    uses.append(job.registry.use("task", job.registry.provider_of("task", job.spec.task)))
    for runtime in job.runtimes:
        uses.append(job.registry.use(f"runtime {runtime.name}", job.registry.provider_of("runtime", runtime.name)))
    return tuple(uses)


def sample_hooks_of(job: Job) -> dict[str, tuple[str, ...]]:
    """The plugins that may change what becomes of a sample, each with the hooks by which it may: the model's own, and
    those that answer for every model. What a task answers for its own models is left out: a spec names its task."""
    found = {}
    for plugin in (job.hooks.plugin, *job.registry.helpers()):
        hooks = [hook for hook in SAMPLE_HOOKS if hook in job.registry.hooks_named(plugin)]
        if plugin != job.hooks.plugin and any(name == plugin for _, name in chain(*job.registry.tasks().values())):
            hooks = [hook for hook in hooks if hook != "porter_postprocess"]
        if hooks:
            found[plugin] = tuple(hooks)
    return found


def changed_inputs(job: Job, record: RunRecord) -> tuple[InputFile, ...]:
    """The input files that are others than those that the record was made from; of one that is gone, the former."""
    now = {entry.role: entry for entry in inputs_of(job)}
    then = {entry.role: entry for entry in record.inputs}
    pairs = [(then.get(role), now.get(role)) for role in sorted(then.keys() | now.keys())]
    return tuple(
        one for was, has in pairs if (was and was.sha256) != (has and has.sha256) and (one := has or was) is not None
    )


def templates_of(job: Job) -> dict[str, Path]:
    """Folders of templates before core's, by the plugin or the executor that ships them, the first to look in first."""
    found = job.registry.templates(job.request.model, job.spec.task, [one.name for one in job.runtimes])
    executor = job.executor
    if executor is not None and executor.templates is not None:
        found = {**found, executor.name: executor.templates}
    return found


def shipped_note(job: Job) -> Text:
    """What of the inputs the plugin shipped, in words; empty: nothing."""
    roles = tuple(SHIPPED_ROLES[role] for role in sorted(job.files.shipped) if role in SHIPPED_ROLES)
    if not roles or job.offer.shipped is None:
        return ""
    return Message("{roles}. {note}", roles=roles, note=job.offer.shipped.note)

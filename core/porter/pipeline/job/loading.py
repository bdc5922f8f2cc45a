"""The model of a job in memory, its task and its reference session. A fault is laid at the plugin that made it."""

from __future__ import annotations

import msgspec

from porter.contracts.requests import Loaded, LoadRequest
from porter.contracts.runtime import Session
from porter.contracts.task import Scorer, Task
from porter.errors import PluginError, one_line
from porter.hosting.guard import guarded
from porter.hosting.model_hooks import ModelHooks
from porter.hosting.plugin_faults import raise_as_plugin_error
from porter.hosting.registry import Registry
from porter.records.artefact import SessionInfo
from porter.records.spec import ModelSpec


def task_of(registry: Registry, name: str) -> Task:
    """The task of that name, whose faults are its plugin's."""
    task = registry.task(name)
    plugin, what = registry.provider_of("task", name), f"task {name!r}"

    def returned(result: object) -> object:
        return guarded(result, plugin, f"the scorer of {what}") if isinstance(result, Scorer) else result

    return guarded(task, plugin, what, returned)


def load_model(hooks: ModelHooks, request: LoadRequest) -> Loaded:
    """The model in memory. Raises `PluginError` where a part of it is in training mode."""
    loaded = hooks.load(request)
    if loaded.module is not None and hasattr(loaded.module, "named_modules"):
        training = [name or "the model itself" for name, part in loaded.module.named_modules() if part.training]
        if training:
            raise PluginError(
                f"plugin {hooks.plugin!r}: porter_load left {len(training)} modules in training mode "
                f"(first: {training[0]}); call .eval() on the model"
            )
    return loaded


def reference_of(loaded: Loaded, spec: ModelSpec, plugin: str, threads: int) -> Session:
    """The model as it was loaded, ready to run: by the plugin's own session, or by PyTorch."""
    session = loaded.reference
    if session is None:
        from porter.builtin.pytorch import TorchSession

        session = TorchSession(
            loaded.module, tuple(t.name for t in spec.inputs), tuple(t.name for t in spec.outputs), threads
        )
    info = session_info(session, plugin, "the reference")
    if info.threads not in (None, threads) and "threads" not in info.announced:
        raise PluginError(
            f"plugin {plugin!r}: the session of the reference was requested with {threads} threads "
            f"(LoadRequest.threads) but uses {info.threads}"
        )
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
    try:  # a value of another type would be written, and make the record one that nothing can read
        msgspec.json.decode(msgspec.json.encode(info), type=SessionInfo)
    except (TypeError, ValueError) as error:
        raise PluginError(f"plugin {plugin!r}: `info` of {what}: {one_line(error)}") from None
    return info

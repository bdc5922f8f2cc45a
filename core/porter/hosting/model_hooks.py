"""The hooks as one model sees them: who is asked, what may be answered, and who made what does not do."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import pluggy

from porter.contracts.requests import Exported, ExportRequest, Loaded, LoadRequest, ModelRequest, Source
from porter.contracts.runtime import Session
from porter.contracts.task import Task
from porter.errors import PluginError, did_you_mean, one_line
from porter.hosting.offers import Offers
from porter.hosting.plugin_faults import GivenFault, passes, raise_as_plugin_error
from porter.hosting.specs import SpecFault, by, checked_spec, fits
from porter.records.manifest import Item
from porter.records.spec import ModelSpec

if TYPE_CHECKING:
    import numpy as np

    from porter.data.store import ImageStore

T = TypeVar("T")
HOOKS = (
    "porter_describe",
    "porter_load",
    "porter_export",
    "porter_read",
    "porter_preprocess",
    "porter_reference",
    "porter_infer",
    "porter_postprocess",
)
NUMBERS = "biuf"
"""numpy's kinds of types that an output can have."""
CORE = "porter."
"""What the names of core's own modules begin with."""


class ModelHooks:
    """The hooks as one model sees them: its own plugin, those that offer no model, and core's defaults.

    Every error names the plugin and the hook that made it: where core's own part is handed something that does not do
    (a module that cannot be exported, outputs of another shape), that is whoever gave it, and never core.
    """

    def __init__(
        self,
        manager: pluggy.PluginManager,
        plugin: str,
        offers: Offers,
        switched_off: str = "",
        left_out: Collection[str] | None = None,
    ) -> None:
        """`left_out` are the plugins that are not asked; None: those of other models."""
        self.plugin = plugin
        self._offers = offers
        self._switched_off = switched_off
        if left_out is None:
            left_out = {name for offered in offers.models.values() for _, name in offered} - {plugin}
        removed = [manager.get_plugin(name) for name in sorted(left_out)]
        self._callers = {name: manager.subset_hook_caller(name, remove_plugins=removed) for name in HOOKS}

    def implementer(self, hook: str) -> str | None:
        """The plugin that answers a hook for this model before core does; None: core answers."""
        asked = [one for one in reversed(self._callers[hook].get_hookimpls()) if not (one.wrapper or one.hookwrapper)]
        return next((one.plugin_name for one in asked if not _is_core(one)), None)

    def giver(self, hook: str) -> str:
        """`plugin 'x': porter_infer`: who gives what `hook` gives, where core's default only hands on."""
        if hook == "porter_infer" and self.implementer(hook) is None:
            hook = "porter_load"
        return f"plugin {self.implementer(hook) or self.plugin!r}: {hook}"

    def describe(self, request: ModelRequest) -> ModelSpec:
        """The spec, checked. Raises `PluginError` with the path of the first field that is wrong."""
        spec = self._typed("porter_describe", ModelSpec, request=request)
        try:
            spec = checked_spec(
                spec,
                own_input=self.implementer("porter_infer") is not None,
                own_pixels=self.implementer("porter_preprocess") is not None,
                own_answer=self.implementer("porter_postprocess") is not None,
            )
        except SpecFault as fault:
            raise PluginError(f"{self.giver('porter_describe')}: {fault}") from None
        for task, provider in self._offers.tasks.get(spec.task, ())[:1]:
            try:
                problem = task.misfit(spec) or _unmeasured(task, spec)
            except (Exception, SystemExit) as error:
                raise_as_plugin_error(error, provider, f"misfit() of task {spec.task!r}")
            if problem:
                raise PluginError(f"{self.giver('porter_describe')}: {one_line(problem)}")
        return spec

    def load(self, request: LoadRequest) -> Loaded:
        """The model in memory."""
        loaded = self._typed("porter_load", Loaded, request=request)
        if loaded.reference is not None and not isinstance(loaded.reference, Session):
            given = f"Loaded whose reference is {type(loaded.reference).__name__}"
            raise self._wrong("porter_load", given, "a Session there, or None")
        if loaded.reference is None and not (callable(loaded.module) and hasattr(loaded.module, "named_modules")):
            given = f"Loaded whose module is {type(loaded.module).__name__}"
            raise self._wrong("porter_load", given, "a torch.nn.Module there, or a Session as reference")
        return loaded

    def export(self, loaded: Loaded, request: ExportRequest) -> Exported:
        """Write the ONNX file."""
        return self._typed("porter_export", Exported, loaded=loaded, request=request)

    def read(self, item: Item, store: ImageStore, spec: ModelSpec) -> Any:
        """One sample, as the model's preprocessing takes it."""
        return self._call("porter_read", item=item, store=store, spec=spec)

    def preprocess(
        self, sample: Any, spec: ModelSpec, out: Mapping[str, np.ndarray] | None = None
    ) -> dict[str, np.ndarray]:
        """One sample as the model takes it: by input name, without the batch."""
        return self._inputs(
            "porter_preprocess", spec, self._call("porter_preprocess", sample=sample, spec=spec, out=out)
        )

    def reference(self, sample: Any, spec: ModelSpec) -> dict[str, np.ndarray] | None:
        """What preprocessing should give; None: nobody says."""
        found = self._ask("porter_reference", sample=sample, spec=spec)
        return None if found is None else self._inputs("porter_reference", spec, found)

    def infer(self, session: Session, feeds: Mapping[str, np.ndarray], spec: ModelSpec) -> Mapping[str, np.ndarray]:
        """The outputs of a batch by name."""
        import numpy as np

        outputs: Mapping[str, np.ndarray]
        outputs = self._typed("porter_infer", Mapping, session=session, feeds=feeds, spec=spec)  # type: ignore[type-abstract]
        for name, values in outputs.items():
            if not isinstance(values, np.ndarray):
                raise self._wrong("porter_infer", f"a mapping with {type(values).__name__} under {name!r}", "arrays")
            if values.dtype.kind not in NUMBERS:
                raise self._wrong("porter_infer", f"an array of {values.dtype} under {name!r}", "numbers")
        return outputs

    def postprocess(
        self, outputs: Mapping[str, np.ndarray], spec: ModelSpec, sources: Sequence[Source]
    ) -> Sequence[Any]:
        """One prediction a row, of the kind that the model's task scores."""
        rows = next((len(values) for values in outputs.values()), 0)
        predictions = self._call("porter_postprocess", outputs=outputs, spec=spec, sources=sources)
        wanted = f"a list of {rows} predictions, one a row"
        if not isinstance(predictions, Sequence) or isinstance(predictions, str | bytes):
            raise self._wrong("porter_postprocess", type(predictions).__name__, wanted)
        if len(predictions) != rows or any(prediction is None for prediction in predictions):
            given = sum(prediction is not None for prediction in predictions)
            raise self._wrong("porter_postprocess", f"{given} predictions", wanted)
        for task, _provider in self._offers.tasks.get(spec.task, ())[:1]:
            kind = task.prediction_type
            if kind is None or not _is_own(kind):
                continue
            other = next((one for one in predictions if not isinstance(one, kind)), None)
            if other is not None:
                wanted = f"{kind.__name__}, which task {spec.task!r} scores"
                raise self._wrong("porter_postprocess", f"a list with {type(other).__name__} in it", wanted)
        return predictions

    def _inputs(self, hook: str, spec: ModelSpec, found: Any) -> dict[str, np.ndarray]:
        """The arrays of a sample by name; a lone one is that of the first input."""
        import numpy as np

        if isinstance(found, np.ndarray):
            return {spec.inputs[0].name: found}
        if not isinstance(found, Mapping) or not found:
            raise self._wrong(hook, type(found).__name__, "an array, or a mapping of arrays by input name")
        for name, values in found.items():
            if not isinstance(values, np.ndarray):
                raise self._wrong(hook, f"a mapping with {type(values).__name__} under {name!r}", "arrays")
        return dict(found)

    def _call(self, hook: str, **arguments: Any) -> Any:
        result = self._ask(hook, **arguments)
        if result is None:
            off = self._switched_off
            raise PluginError(f"no plugin implements {hook} for this model; {self.plugin!r} should{off}")
        return result

    def _ask(self, hook: str, **arguments: Any) -> Any:
        """What the hook gives, which may be None."""
        caller = self._callers[hook]
        try:
            return caller(**arguments)
        except GivenFault as fault:
            raise PluginError(f"{self.giver(fault.hook)}{fault.problem}") from fault
        except (Exception, SystemExit) as error:  # a script's sys.exit(0) would end the run as if it had passed
            culprit = _culprit(error, caller)
            if hook == "porter_infer" and culprit is not None and _is_core(culprit):
                self._blame_session(error, **arguments)
            raise_as_plugin_error(error, culprit.plugin_name if culprit else self.plugin, hook)

    def _blame_session(
        self, error: Exception | SystemExit, session: Any, feeds: Mapping[str, np.ndarray], spec: ModelSpec
    ) -> None:
        """Raise what a session made of a batch that core handed on as it was; what speaks for itself is left."""
        for tensor in spec.inputs:
            values = feeds.get(tensor.name)
            if values is None:
                raise PluginError(
                    f"{self.giver('porter_preprocess')} gave no array for the input {tensor.name!r} of the spec"
                ) from error
            if not fits(values.shape[1:], tensor.shape[1:]):
                raise PluginError(
                    f"{self.giver('porter_preprocess')} gave {values.dtype} {by(values.shape[1:])}, but the input "
                    f"{tensor.name!r} of the spec takes {by(tensor.shape[1:])}"
                ) from error
        if passes(error):
            return
        runtime = getattr(getattr(session, "info", None), "runtime", None)
        for _runtime, plugin in self._offers.runtimes.get(str(runtime), ())[:1]:
            raise_as_plugin_error(error, plugin, f"run() of runtime {runtime!r}")
        plugin = self.implementer("porter_load") or self.plugin
        raise_as_plugin_error(error, plugin, "run() of the reference that porter_load gave")

    def _typed(self, hook: str, kind: type[T], **arguments: object) -> T:
        result = self._call(hook, **arguments)
        if not isinstance(result, kind):
            raise self._wrong(hook, type(result).__name__, kind.__name__)
        return result

    def _wrong(self, hook: str, given: str, wanted: str) -> PluginError:
        plugin = self.implementer(hook) or self.plugin
        return PluginError(f"plugin {plugin!r}: {hook} returned {given}, must return {wanted}")


def _unmeasured(task: Task, spec: ModelSpec) -> str:
    """That a published figure is of a metric that the task does not have; empty: none is."""
    figures = spec.published.metrics if spec.published is not None and task.metric_names else ()
    unknown = next((one.name for one in figures if one.name not in task.metric_names), "")
    if not unknown:
        return ""
    hint = did_you_mean(unknown, task.metric_names)
    available = ", ".join(task.metric_names)
    return f"published.metrics: task {task.name!r} has no metric {unknown!r}{hint}; available: {available}"


def _is_own(kind: type[Any]) -> bool:
    """Whether a task's predictions are of a class of its own: numbers and text pass for one another."""
    return inspect.isclass(kind) and getattr(kind, "__module__", "builtins") not in ("builtins", "numpy")


def _is_core(implementation: pluggy.HookImpl) -> bool:
    module: str = inspect.unwrap(implementation.function).__module__
    return module.startswith(CORE)


def _culprit(error: BaseException, caller: pluggy.HookCaller) -> pluggy.HookImpl | None:
    """The implementation, or wrapper, that is innermost in the traceback."""
    codes = {
        getattr(inspect.unwrap(implementation.function), "__code__", None): implementation
        for implementation in caller.get_hookimpls()
    }
    frames = [frame.f_code for frame, _line in traceback.walk_tb(error.__traceback__)]
    return next((codes[code] for code in reversed(frames) if code in codes), None)

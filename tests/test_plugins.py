"""The plugin manager: what it finds, and that a broken plugin hurts nobody but itself."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from porter import defaults, hookimpl
from porter.contracts.requests import Image, Loaded, LoadRequest, ModelOffer, ModelRequest
from porter.contracts.runtime import Runtime
from porter.contracts.task import Task
from porter.errors import BadInput, ExitCode, Missing, PluginError
from porter.plugins.info import PluginInfo
from porter.plugins.manager import create_registry
from porter.plugins.registry import Registry
from porter.records.artefact import SessionInfo
from porter.runtimes.onnxruntime import OnnxRuntime
from tiny import SPEC, TinyPlugin

Install = Callable[..., None]
GOOD = """
    from porter import hookimpl
    from porter.contracts.requests import ModelOffer
    @hookimpl
    def porter_models():
        return [ModelOffer(name={model!r}, title="Good", variants=())]
"""
IMAGE = Image(id="a.png", pixels=np.zeros((20, 20, 3), np.uint8))


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Puts a distribution on sys.path: modules by name, and entry points by name."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.delenv("PORTER_DISABLE_PLUGINS", raising=False)
    before = set(sys.modules)

    def write(distribution: str, modules: dict[str, str], version: str = "1.2", **points: str) -> None:
        info = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        lines = [f"{name} = {value}" for name, value in (points or {m: m for m in modules}).items()]
        (info / "entry_points.txt").write_text("\n".join(["[porter]", *lines]) + "\n")
        for module, source in modules.items():
            (site / f"{module}.py").write_text(dedent(source), encoding="utf-8")
        monkeypatch.syspath_prepend(site)

    yield write
    for name in set(sys.modules) - before:
        if str(site) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def info_of(registry: Registry, name: str) -> PluginInfo:
    [info] = [info for info in registry.infos if info.name == name]
    return info


def plugin(**functions: Any) -> SimpleNamespace:
    """A plugin object of marked functions; SimpleNamespace can be neither hashed nor compared by identity."""
    return SimpleNamespace(**{name: hookimpl(function) for name, function in functions.items()})


def offering(name: str = "other", **functions: Any) -> SimpleNamespace:
    """A plugin that offers a model, and whatever else."""
    return plugin(porter_models=lambda: [ModelOffer(name=name, title=name, variants=())], **functions)


def reason(broken: object) -> str:
    """Why `broken` fails. The tiny model beside it must go on working."""
    registry = create_registry([("broken", broken), ("tiny", TinyPlugin())])
    offer, hooks = registry.model("tiny")
    assert offer.name == "tiny" and hooks.describe(ModelRequest(model="tiny")) is SPEC
    found = info_of(registry, "broken")
    assert found.state == "failed" and "\n" not in found.reason
    assert registry.manager.get_plugin("broken") is None
    return found.reason


# --- discovery ------------------------------------------------------------------------------------------------------


def test_an_installed_plugin_is_found_by_its_entry_point(install: Install) -> None:
    install("porter-good", {"good_module": GOOD.format(model="good")}, version="3.1", good="good_module")
    registry = create_registry()
    assert info_of(registry, "good") == PluginInfo(
        name="good", distribution="porter-good", version="3.1", state="active", hooks=("porter_models",)
    )
    offer, hooks = registry.model("good")
    assert (offer.title, hooks.plugin) == ("Good", "good")
    use = registry.use("model", "good")
    assert (use.distribution, use.version) == ("porter-good", "3.1")


def test_core_comes_as_plugins_of_its_own() -> None:
    registry = create_registry([])
    assert {info.name: info.state for info in registry.infos} == {
        "classification": "active",
        "defaults": "active",
        "onnxruntime": "active",
    }
    assert {info.distribution for info in registry.infos} == {"porter-core"}
    assert registry.task("classification").gate == "top1"


def test_there_is_no_global_manager() -> None:
    one, two = create_registry([("tiny", TinyPlugin())]), create_registry([])
    assert "tiny" in one.models() and "tiny" not in two.models()


def test_a_plugin_can_be_any_object() -> None:
    class Odd:
        __hash__ = None  # type: ignore[assignment]

        def __eq__(self, other: object) -> bool:
            raise RuntimeError("compared")

        @property
        def porter_version(self) -> str:
            raise RuntimeError("a property was run")

        @hookimpl
        def porter_models(self) -> list[ModelOffer]:
            return [ModelOffer(name="odd", title="Odd", variants=())]

    registry = create_registry([("odd", Odd()), ("other", offering())])
    assert registry.model("odd")[1].plugin == "odd" and registry.model("other")[1].plugin == "other"


def test_a_hook_can_have_another_name_and_a_newer_hook_can_be_optional() -> None:
    @hookimpl(specname="porter_models")
    def my_models() -> list[ModelOffer]:
        return [ModelOffer(name="named", title="", variants=())]

    @hookimpl(optionalhook=True)
    def porter_of_tomorrow(whatever: int) -> None: ...

    registry = create_registry([("a", SimpleNamespace(my_models=my_models, porter_of_tomorrow=porter_of_tomorrow))])
    assert info_of(registry, "a").hooks == ("porter_models",) and "named" in registry.models()


# --- plugins that cannot be used ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("raise RuntimeError('no\\nlicence')", "import failed: RuntimeError: no licence"),
        ("def porter_models(:", "import failed: SyntaxError: "),
        ("import a_package_that_is_not_there", "import failed: ModuleNotFoundError: No module named"),
        ("import sys; sys.exit('usage: …')", "import failed: SystemExit: usage: …"),
    ],
)
def test_a_plugin_that_raises_at_import_fails_alone(install: Install, source: str, why: str) -> None:
    install("porter-good", {"good_module": GOOD.format(model="good")}, good="good_module")
    install("porter-broken", {"broken_module": source}, broken="broken_module")
    registry = create_registry()
    broken = info_of(registry, "broken")
    assert broken.state == "failed" and broken.reason.startswith(why)
    assert registry.model("good")[0].name == "good"
    with pytest.raises(BadInput, match=r"offers the model 'goud'; did you mean 'good'\?.*failed to load: .*broken"):
        registry.model("goud")


def test_an_entry_point_that_leads_nowhere_is_reported(install: Install) -> None:
    install("porter-broken", {"broken_module": ""}, broken="broken_module:Plugin")
    assert "has no attribute 'Plugin'" in info_of(create_registry(), "broken").reason


def marked(name: str, function: Any) -> SimpleNamespace:
    return SimpleNamespace(**{name: hookimpl(function)})


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (marked("porter_modles", lambda: ()), "porter_modles: no such hook; did you mean 'porter_models'?"),
        (SimpleNamespace(porter_laod=lambda request: None), "porter_laod: no such hook; did you mean 'porter_load'?"),
        (marked("prepare", lambda: None), "prepare: no such hook"),
        (SimpleNamespace(porter_models=lambda: ()), "porter_models: not marked with @porter.hookimpl"),
        (SimpleNamespace(porter_models=["tiny"]), "porter_models: a list, it must be a function"),
        (
            marked("porter_load", lambda reqest: None),
            "porter_load: no argument 'reqest'; did you mean 'request'?; it takes request",
        ),
        (marked("porter_models", lambda config: []), "porter_models: no argument 'config'; it takes none"),
        (
            marked("porter_export", lambda loaded, request=None: None),
            "porter_export: argument 'request' has a default or is keyword-only, so it gets nothing",
        ),
        (
            marked("porter_export", lambda loaded, *, request: None),
            "porter_export: argument 'request' has a default or is keyword-only, so it gets nothing",
        ),
        (
            marked("porter_infer", lambda session, **more: None),
            "porter_infer: **more gets nothing; name the arguments, it takes session, batch, spec",
        ),
        (TinyPlugin, "the plugin is a class; the entry point must name a module or an instance"),
        (
            SimpleNamespace(porter_infer=hookimpl(wrapper=True)(lambda session: None)),
            "porter_infer: a wrapper is marked wrapper=True alone, and yields once",
        ),
        (
            SimpleNamespace(porter_models=hookimpl(wrapper=True)(lambda: (yield))),
            "porter_models: cannot be wrapped, each plugin is asked for its offers alone",
        ),
    ],
)
def test_a_wrong_hook_is_reported_with_the_nearest_right_name(broken: object, why: str) -> None:
    assert why in reason(broken)


def test_fewer_arguments_than_the_spec_has_are_enough() -> None:
    registry = create_registry([("a", offering("a", porter_infer=lambda batch, _cache=0: {"class": batch}))])
    assert info_of(registry, "a").state == "active"


def test_two_plugins_of_one_name_are_told_apart_by_their_distributions(install: Install) -> None:
    install("porter-first", {"first_module": GOOD.format(model="first")}, same="first_module")
    install("porter-second", {"second_module": GOOD.format(model="second")}, same="second_module")
    registry = create_registry()
    one, two = [info for info in registry.infos if info.name == "same"]
    assert (one.distribution, one.state) == ("porter-first", "active")
    assert (two.distribution, two.state) == ("porter-second", "failed")
    assert two.reason == "the name 'same' is taken by porter-first"
    assert "first" in registry.models() and "second" not in registry.models()
    assert registry.use("model", "same").distribution == "porter-first"


# --- offers ---------------------------------------------------------------------------------------------------------


def raising() -> list[ModelOffer]:
    raise LookupError("no\nmodels today")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (raising, "porter_models raised LookupError: no models today"),
        (lambda: sys.exit(3), "porter_models raised SystemExit: 3"),
        (lambda: "tiny", "porter_models returned a value of type str, it must return a list of ModelOffer"),
        (lambda: {"tiny": 1}, "porter_models returned a mapping (dict), it must return a list of ModelOffer"),
        (lambda: iter(()), "porter_models returned a value of type tuple_iterator"),
        (lambda: 5, "porter_models returned a value of type int"),
        (lambda: ["tiny"], "porter_models returned a list with a value of type str in it"),
        (lambda: [ModelOffer], "porter_models returned a list with the class ModelOffer (not an instance) in it"),
        (lambda: [ModelOffer(name=" ", title="", variants=())], "a value of type ModelOffer without a name"),
        (lambda: [ModelOffer(name="a", title="", variants=())] * 2, "porter_models returned two of the name 'a'"),
    ],
)
def test_wrong_offers_are_that_plugins_failure(answer: Any, why: str) -> None:
    assert why in reason(plugin(porter_models=answer))


def test_a_plugin_that_fails_at_one_offer_offers_nothing() -> None:
    broken = offering("half", porter_runtimes=lambda: [OnnxRuntime], porter_tasks=lambda: None)
    registry = create_registry([("half", broken)])
    assert info_of(registry, "half").reason == (
        "porter_runtimes returned a list with the class OnnxRuntime (not an instance) in it, "
        "it must return a list of Runtime"
    )
    assert "half" not in registry.models()


def test_no_offer_at_all_is_no_failure() -> None:
    registry = create_registry([("none", plugin(porter_models=lambda: None, porter_tasks=lambda: ()))])
    assert info_of(registry, "none").state == "active"


@pytest.mark.parametrize("base", [Runtime, Task])
def test_a_runtime_or_task_without_a_name_is_reported(base: Any) -> None:
    nameless = type("Nameless", (base,), dict.fromkeys(base.__abstractmethods__))
    hook = f"porter_{base.__name__.lower()}s"
    assert reason(plugin(**{hook: lambda: [nameless()]})) == f"{hook} returned a value of type Nameless without a name"


def test_two_plugins_with_the_same_model_are_both_named(install: Install) -> None:
    registry = create_registry([("one", offering("twice")), ("two", offering("twice")), ("tiny", TinyPlugin())])
    with pytest.raises(BadInput, match=r"'twice' is offered by the plugins 'one' and 'two': switch one off"):
        registry.model("twice")
    assert registry.model("tiny")[1].plugin == "tiny"
    assert {info.state for info in registry.infos} == {"active"}


def test_switching_one_off_settles_it(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("porter-one", {"one_module": GOOD.format(model="twice")}, one="one_module")
    install("porter-two", {"two_module": GOOD.format(model="twice")}, two="two_module")
    with pytest.raises(BadInput, match="'one' and 'two'"):
        create_registry().model("twice")
    monkeypatch.setenv("PORTER_DISABLE_PLUGINS", " two ,, absent")
    registry = create_registry()
    assert registry.model("twice")[1].plugin == "one"
    assert info_of(registry, "two").reason == "named in PORTER_DISABLE_PLUGINS"
    assert info_of(registry, "two").state == "disabled"


def test_a_disabled_plugin_is_not_even_imported(install: Install) -> None:
    install("porter-loud", {"loud_module": "raise RuntimeError"}, loud="loud_module")
    assert info_of(create_registry(disabled=["loud"]), "loud").state == "disabled"
    assert "loud_module" not in sys.modules


def test_a_name_to_disable_that_is_no_plugins_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTER_DISABLE_PLUGINS", "onnxruntme")
    found = info_of(create_registry([]), "onnxruntme")
    assert "no plugin has this name; did you mean 'onnxruntime'?" in found.reason


# --- the hooks of one model -----------------------------------------------------------------------------------------


def test_another_models_plugin_never_answers() -> None:
    rival = offering("rival", porter_describe=lambda: pytest.fail("asked"), porter_preprocess=lambda: pytest.fail("!"))
    rival.porter_describe = hookimpl(tryfirst=True)(rival.porter_describe)
    for order in ([("rival", rival), ("tiny", TinyPlugin())], [("tiny", TinyPlugin()), ("zz_rival", rival)]):
        _offer, hooks = create_registry(order).model("tiny")
        assert hooks.describe(ModelRequest(model="tiny")) is SPEC
        assert hooks.preprocess(IMAGE, SPEC.preprocess).shape == (3, 16, 16)


@pytest.mark.parametrize("name", ["aa", "zz"])
def test_a_models_own_plugin_is_asked_before_those_without_a_model(name: str) -> None:
    """Whatever their names are; and those before core's defaults."""

    def ones(spec: Any) -> np.ndarray:
        return np.ones((3, *spec.crop), np.float32)

    helper = plugin(porter_describe=lambda: pytest.fail("asked first"), porter_preprocess=ones)
    _offer, hooks = create_registry([("mm", TinyPlugin()), (name, helper)]).model("tiny")
    assert hooks.describe(ModelRequest(model="tiny")) is SPEC
    assert hooks.preprocess(IMAGE, SPEC.preprocess).min() == 1


def test_wrappers_see_every_model() -> None:
    seen = []

    def wrap(image: Image) -> Any:
        seen.append(image.id)
        array = yield
        return array + 1

    plain = plugin()
    plain.porter_preprocess = hookimpl(wrapper=True)(wrap)
    zeros = offering("zeros", porter_preprocess=lambda image: np.zeros((3, 2, 2), np.float32))
    registry = create_registry([("tiny", TinyPlugin()), ("zeros", zeros), ("wrapper", plain)])
    assert registry.model("zeros")[1].preprocess(IMAGE, SPEC.preprocess).max() == 1
    black = (0 - 0.5) / 0.5 + 1
    assert registry.model("tiny")[1].preprocess(IMAGE, SPEC.preprocess).max() == black
    assert seen == ["a.png", "a.png"]


ROW = {"class": np.zeros((2, 3), np.float32)}


@pytest.mark.parametrize(
    ("hook", "answer", "why"),
    [
        ("porter_describe", "tiny", "porter_describe returned str, it must return ModelSpec"),
        ("porter_load", 3, "porter_load returned int, it must return Loaded"),
        ("porter_export", "model.onnx", "porter_export returned str, it must return Exported"),
        ("porter_preprocess", [[0.0]], "porter_preprocess returned list, it must return ndarray"),
        ("porter_infer", np.zeros(2), "porter_infer returned ndarray, it must return Mapping"),
        ("porter_infer", {"class": [0.0]}, "porter_infer returned a mapping with list under 'class'"),
        ("porter_postprocess", "ab", "porter_postprocess returned str, it must return a list of 2 predictions"),
        ("porter_postprocess", [1], "porter_postprocess returned 1 predictions, it must return a list of 2"),
        ("porter_postprocess", [1, 2, 3], "porter_postprocess returned 3 predictions, it must return a list of 2"),
        ("porter_postprocess", [1, None], "porter_postprocess returned 1 predictions, it must return a list of 2"),
        ("porter_postprocess", np.zeros(2), "porter_postprocess returned ndarray, it must return a list of 2"),
    ],
)
def test_a_wrong_answer_names_plugin_and_hook(hook: str, answer: Any, why: str) -> None:
    with pytest.raises(PluginError, match="plugin 'other': ") as caught:
        call(create_registry([("other", offering(**{hook: lambda: answer}))]), hook)
    assert why in str(caught.value) and caught.value.exit_code is ExitCode.BAD_INPUT


def call(registry: Registry, hook: str, model: str = "other") -> Any:
    """One call of a model hook, with arguments that do for a hook that does not look at them."""
    loaded: Any = None
    arguments: dict[str, tuple[Any, ...]] = {
        "porter_describe": (ModelRequest(model=model),),
        "porter_load": (LoadRequest(spec=SPEC),),
        "porter_export": (loaded, loaded),
        "porter_preprocess": (IMAGE, SPEC.preprocess),
        "porter_infer": (None, np.zeros((2, 3, 16, 16), np.float32), SPEC),
        "porter_postprocess": (ROW, SPEC),
    }
    return getattr(registry.model(model)[1], hook.removeprefix("porter_"))(*arguments[hook])


def test_what_a_hook_raises_is_one_line_with_the_place() -> None:
    def porter_load(request: LoadRequest) -> Loaded:
        raise KeyError("conv1\nweight")

    with pytest.raises(PluginError, match=r"plugin 'other': porter_load raised KeyError: .* \(test_plugins.py:\d+\)$"):
        call(create_registry([("other", offering(porter_load=porter_load))]), "porter_load")


def test_the_plugin_that_raised_is_named_not_the_model_that_was_run() -> None:
    registry = create_registry([("other", offering())])
    with pytest.raises(PluginError, match=r"plugin 'defaults': porter_infer raised AttributeError"):
        call(registry, "porter_infer")


def test_a_hook_that_nobody_implements_is_named() -> None:
    with pytest.raises(PluginError, match="no plugin implements porter_load for this model; 'other' should"):
        call(create_registry([("other", offering())]), "porter_load")


def test_errors_for_the_user_pass_as_they_are() -> None:
    def porter_load(request: LoadRequest) -> Loaded:
        raise BadInput("weights.pth: cut short")

    with pytest.raises(BadInput, match=r"^weights\.pth: cut short$"):
        call(create_registry([("other", offering(porter_load=porter_load))]), "porter_load")


def test_a_package_that_is_not_installed_is_something_the_machine_lacks() -> None:
    def porter_load(request: LoadRequest) -> Loaded:
        import a_package_that_is_not_there  # type: ignore[import-not-found]

        return a_package_that_is_not_there.load()  # type: ignore[no-any-return]

    with pytest.raises(Missing, match="porter_load needs the package 'a_package_that_is_not_there'") as caught:
        call(create_registry([("other", offering(porter_load=porter_load))]), "porter_load")
    assert caught.value.exit_code is ExitCode.MISSING


# --- PORTER_TRACE ---------------------------------------------------------------------------------------------------


class EchoSession:
    info = SessionInfo(runtime="echo", version="0", precision="fp32", provider="cpu", threads=1)

    def run(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        return {"class": batch}


def test_a_trace_has_one_line_a_call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PORTER_TRACE", "1")

    def wrap(session: Any) -> Any:
        return (yield)

    around = plugin()
    around.porter_infer = hookimpl(wrapper=True)(wrap)
    own = offering(porter_preprocess=lambda: None, porter_load=raising)
    _offer, hooks = create_registry([("other", own), ("around", around)]).model("other")
    assert "trace: porter_models other " in capsys.readouterr().err
    hooks.preprocess(IMAGE, SPEC.preprocess)
    hooks.infer(EchoSession(), np.zeros((1, 3, 2, 2), np.float32), SPEC)  # type: ignore[arg-type]
    with pytest.raises(PluginError, match="'other': porter_load raised LookupError"):
        hooks.load(LoadRequest(spec=SPEC))
    lines = [line.split(maxsplit=5) for line in capsys.readouterr().err.splitlines()]
    assert [(mark, hook, who, unit, outcome) for mark, hook, who, _time, unit, outcome in lines] == [
        ("trace:", "porter_preprocess", "other", "ms", "passed"),
        ("trace:", "porter_preprocess", "defaults", "ms", "answered"),
        ("trace:", "porter_infer", "defaults", "ms", "answered"),
        ("trace:", "porter_infer", "around", "ms", "wrapped the others"),
        ("trace:", "porter_load", "other", "ms", "raised LookupError"),
    ]
    assert all(float(line[3]) >= 0 for line in lines)


@pytest.mark.parametrize("value", ["", "0"])
def test_without_a_trace_nothing_is_wrapped(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTER_TRACE", value)
    [implementation] = create_registry([]).manager.hook.porter_infer.get_hookimpls()
    assert implementation.function is defaults.porter_infer


def test_a_traced_method_gets_its_arguments() -> None:
    registry = create_registry([("tiny", TinyPlugin())], trace=True)
    assert registry.model("tiny")[1].describe(ModelRequest(model="tiny")) is SPEC

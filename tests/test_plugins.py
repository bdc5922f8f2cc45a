"""The plugin manager: what it takes for a plugin, and that a broken one hurts nobody but itself."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest
from plugin_objects import info_of, offering, plugin
from tiny import SPEC, TinyPlugin

from porter import hookimpl
from porter.builtin.onnxruntime import OnnxRuntime
from porter.contracts.requests import ModelOffer, ModelRequest, Shipped
from porter.contracts.runtime import Runtime, RuntimeStatus
from porter.contracts.task import Task
from porter.errors import BadInput
from porter.hosting.manager import create_registry


def reason(broken: object) -> str:
    """Why `broken` fails. The tiny model beside it must go on working."""
    registry = create_registry([("broken", broken), ("tiny", TinyPlugin())])
    offer, hooks = registry.model("tiny")
    assert offer.name == "tiny" and hooks.describe(ModelRequest(model="tiny")) is SPEC
    found = info_of(registry, "broken")
    assert found.state == "failed" and "\n" not in found.reason
    assert registry.manager.get_plugin("broken") is None
    return found.reason


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


def marked(name: str, function: Any) -> SimpleNamespace:
    return SimpleNamespace(**{name: hookimpl(function)})


async def waiting(request: Any) -> None: ...


async def yielding(request: Any) -> Any:
    yield request


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (marked("porter_modles", lambda: ()), "porter_modles: no such hook. Did you mean 'porter_models'?"),
        (SimpleNamespace(porter_laod=lambda request: None), "porter_laod: no such hook. Did you mean 'porter_load'?"),
        (marked("prepare", lambda: None), "prepare: no such hook"),
        (SimpleNamespace(porter_models=lambda: ()), "porter_models: not marked with @porter.hookimpl"),
        (SimpleNamespace(porter_models=["tiny"]), "porter_models: a list, must be a function"),
        (
            marked("porter_load", lambda reqest: None),
            "porter_load: no argument 'reqest'. Did you mean 'request'? The hook takes request",
        ),
        (marked("porter_models", lambda config: []), "porter_models: no argument 'config'. The hook takes none"),
        (
            marked("porter_export", lambda loaded, request=None: None),
            "porter_export: argument 'request' has a default or is keyword-only, so it is not filled",
        ),
        (
            marked("porter_export", lambda loaded, *, request: None),
            "porter_export: argument 'request' has a default or is keyword-only, so it is not filled",
        ),
        (
            marked("porter_infer", lambda session, **more: None),
            "porter_infer: **more is not filled. Name the arguments. The hook takes session, feeds, spec",
        ),
        (TinyPlugin, "the plugin is a class; the entry point must name a module or an instance"),
        (
            SimpleNamespace(porter_infer=hookimpl(wrapper=True)(lambda session: None)),
            "porter_infer: a wrapper is marked wrapper=True alone, and yields once",
        ),
        (
            SimpleNamespace(porter_models=hookimpl(wrapper=True)(lambda: (yield))),
            "porter_models: cannot be wrapped: porter asks each plugin separately",
        ),
        (marked("porter_models", lambda: (yield)), "porter_models: yields, which only a wrapper does (wrapper=True)"),
        (
            marked("porter_load", waiting),
            "porter_load: an async function, which porter does not await. Use a plain one",
        ),
        (
            marked("porter_load", yielding),
            "porter_load: an async function, which porter does not await. Use a plain one",
        ),
    ],
)
def test_a_wrong_hook_is_reported_with_the_nearest_right_name(broken: object, why: str) -> None:
    assert why in reason(broken)


def test_fewer_arguments_than_the_spec_has_are_enough() -> None:
    registry = create_registry([("a", offering("a", porter_infer=lambda feeds, _cache=0: {"class": feeds["image"]}))])
    assert info_of(registry, "a").state == "active"


def offered(**fields: Any) -> Any:
    """A `porter_models` whose offer has these fields."""
    return lambda: [ModelOffer(**{"name": "a", "title": "", "variants": (), **fields})]


def raising() -> list[ModelOffer]:
    raise LookupError("no\nmodels today")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (raising, "porter_models raised LookupError: no models today"),
        (lambda: sys.exit(3), "porter_models raised SystemExit: 3"),
        (lambda: "tiny", "porter_models returned a value of type str, must return a list of ModelOffer"),
        (lambda: {"tiny": 1}, "porter_models returned a mapping (dict), must return a list of ModelOffer"),
        (lambda: iter(()), "porter_models returned a value of type tuple_iterator"),
        (lambda: 5, "porter_models returned a value of type int"),
        (lambda: ["tiny"], "porter_models returned a list with a value of type str in it"),
        (lambda: [ModelOffer], "porter_models returned a list with the class ModelOffer (not an instance) in it"),
        (lambda: [ModelOffer(name=" ", title="", variants=())], "a value of type ModelOffer without a name"),
        (lambda: [ModelOffer(name="a", title="", variants=())] * 2, "porter_models returned two of the name 'a'"),
        (lambda: [ModelOffer(name="../a", title="", variants=())], "porter_models returned the name '../a': letters, "),
        (lambda: [ModelOffer(name="a b", title="", variants=())], "porter_models returned the name 'a b': letters, "),
        (lambda: [ModelOffer(name="--help", title="", variants=())], "porter_models returned the name '--help': "),
        (lambda: [ModelOffer(name="a\n", title="", variants=())], "porter_models returned the name 'a': letters, "),
        (offered(title=None), "model 'a': title is a value of type NoneType, it must be text"),
        (offered(variants=None), "model 'a': variants must be a tuple of ModelSpec"),
        (offered(variants=("w18",)), "model 'a': variants must be a tuple of ModelSpec"),
        (offered(shipped="sample"), "model 'a': shipped is a value of type str, it must be Shipped or None"),
        (
            offered(shipped=Shipped(checkpoint="a.pth")),  # type: ignore[arg-type]
            "model 'a': shipped.checkpoint is a value of type str, it must be a Path or None",
        ),
    ],
)
def test_wrong_offers_are_that_plugins_failure(answer: Any, why: str) -> None:
    assert why in reason(plugin(porter_models=answer))


def test_a_plugin_that_fails_at_one_offer_offers_nothing() -> None:
    broken = offering("half", porter_runtimes=lambda: [OnnxRuntime], porter_tasks=lambda: None)
    registry = create_registry([("half", broken)])
    assert info_of(registry, "half").reason == (
        "porter_runtimes returned a list with the class OnnxRuntime (not an instance) in it, "
        "must return a list of Runtime"
    )
    assert "half" not in registry.models()


def test_a_plugin_without_a_hook_is_told_so() -> None:
    for nothing in (None, SimpleNamespace(models=list)):
        found = info_of(create_registry([("idle", nothing)]), "idle")
        assert (found.state, found.reason) == ("active", "implements no hook. Mark its functions with @porter.hookimpl")


def test_no_offer_at_all_is_no_failure() -> None:
    registry = create_registry([("none", plugin(porter_models=lambda: None, porter_tasks=lambda: ()))])
    assert info_of(registry, "none").state == "active"


@pytest.mark.parametrize("base", [Runtime, Task])
def test_a_runtime_or_task_without_a_name_is_reported(base: Any) -> None:
    nameless = type("Nameless", (base,), dict.fromkeys(base.__abstractmethods__))
    hook = f"porter_{base.__name__.lower()}s"
    assert reason(plugin(**{hook: lambda: [nameless()]})) == f"{hook} returned a value of type Nameless without a name"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (raising, "plugin 'other': status() raised LookupError: no models today"),
        (lambda: True, "plugin 'other': status() returned bool, not RuntimeStatus"),
    ],
)
def test_a_runtime_that_cannot_say_how_it_is_is_not_available(answer: Any, why: str) -> None:
    class Ill(OnnxRuntime):
        name = "ill"

        def status(self) -> RuntimeStatus:
            return answer()  # type: ignore[no-any-return]

    registry = create_registry([("other", plugin(porter_runtimes=lambda: [Ill()]))])
    assert (registry.status("ill").available, registry.status("ill").advice) == (False, why)
    assert registry.status("onnxruntime").available


def test_two_plugins_with_the_same_model_are_both_named() -> None:
    registry = create_registry([("one", offering("twice")), ("two", offering("twice")), ("tiny", TinyPlugin())])
    with pytest.raises(BadInput, match=r"'twice' is offered by the plugins 'one' and 'two'\. Disable one with"):
        registry.model("twice")
    assert registry.model("tiny")[1].plugin == "tiny"
    assert {info.state for info in registry.infos} == {"active"}


def test_a_name_to_disable_that_is_no_plugins_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTER_DISABLE_PLUGINS", "onnxruntme")
    found = info_of(create_registry([]), "onnxruntme")
    assert "no plugin has this name. Did you mean 'onnxruntime'?" in found.reason

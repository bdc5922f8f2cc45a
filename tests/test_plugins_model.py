"""The hooks as one model sees them: who is asked, in which order, and what becomes of a wrong answer."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plugin_objects import IMAGE, offering, plugin
from tiny import SPEC, TinyPlugin

from porter import hookimpl
from porter.contracts.requests import Image, Loaded, LoadRequest, ModelRequest
from porter.errors import BadInput, ExitCode, Missing, PluginError
from porter.hosting.manager import create_registry
from porter.hosting.registry import Registry
from porter.records.spec import Published, PublishedMetric


def test_another_models_plugin_never_answers() -> None:
    rival = offering("rival", porter_describe=lambda: pytest.fail("asked"), porter_preprocess=lambda: pytest.fail("!"))
    rival.porter_describe = hookimpl(tryfirst=True)(rival.porter_describe)
    for order in ([("rival", rival), ("tiny", TinyPlugin())], [("tiny", TinyPlugin()), ("zz_rival", rival)]):
        _offer, hooks = create_registry(order).model("tiny")
        assert hooks.describe(ModelRequest(model="tiny")) is SPEC
        assert hooks.preprocess(IMAGE, SPEC)["image"].shape == (3, 16, 16)


@pytest.mark.parametrize("name", ["aa", "zz"])
def test_a_models_own_plugin_is_asked_before_those_without_a_model(name: str) -> None:
    """Whatever their names are; and those before core's defaults."""

    def ones(spec: Any) -> np.ndarray:
        return np.ones((3, *spec.image.crop), np.float32)

    helper = plugin(porter_describe=lambda: pytest.fail("asked first"), porter_preprocess=ones)
    _offer, hooks = create_registry([("mm", TinyPlugin()), (name, helper)]).model("tiny")
    assert hooks.describe(ModelRequest(model="tiny")) is SPEC
    assert hooks.preprocess(IMAGE, SPEC)["image"].min() == 1


def test_wrappers_see_every_model() -> None:
    seen = []

    def wrap(sample: Image) -> Any:
        seen.append(sample.id)
        array = yield
        return array["image"] + 1 if isinstance(array, dict) else array + 1

    plain = plugin()
    plain.porter_preprocess = hookimpl(wrapper=True)(wrap)
    zeros = offering("zeros", porter_preprocess=lambda sample: np.zeros((3, 2, 2), np.float32))
    registry = create_registry([("tiny", TinyPlugin()), ("zeros", zeros), ("wrapper", plain)])
    assert registry.model("zeros")[1].preprocess(IMAGE, SPEC)["image"].max() == 1
    black = (0 - 0.5) / 0.5 + 1
    assert registry.model("tiny")[1].preprocess(IMAGE, SPEC)["image"].max() == black
    assert seen == ["a.png", "a.png"]


def published(pattern: str) -> Published:
    metrics = (PublishedMetric(name="top1", value=75.0),)
    return Published(source="a paper", dataset="val", images=10, metrics=metrics, image_pattern=pattern)


ROW = {"class": np.zeros((2, 3), np.float32)}


@pytest.mark.parametrize(
    ("hook", "answer", "why"),
    [
        ("porter_describe", "tiny", "porter_describe returned str, must return ModelSpec"),
        ("porter_load", 3, "porter_load returned int, must return Loaded"),
        ("porter_export", "model.onnx", "porter_export returned str, must return Exported"),
        (
            "porter_preprocess",
            [[0.0]],
            "porter_preprocess returned list, must return an array, or a mapping of arrays by",
        ),
        ("porter_preprocess", {}, "porter_preprocess returned dict, must return an array, or a mapping of arrays by"),
        ("porter_preprocess", {"image": [0.0]}, "porter_preprocess returned a mapping with list under 'image'"),
        ("porter_reference", 3.0, "porter_reference returned float, must return an array, or a mapping of arrays by"),
        ("porter_infer", np.zeros(2), "porter_infer returned ndarray, must return Mapping"),
        ("porter_infer", {"class": [0.0]}, "porter_infer returned a mapping with list under 'class'"),
        ("porter_postprocess", "ab", "porter_postprocess returned str, must return a list of 2 predictions"),
        ("porter_postprocess", [1], "porter_postprocess returned 1 predictions, must return a list of 2"),
        ("porter_postprocess", [1, 2, 3], "porter_postprocess returned 3 predictions, must return a list of 2"),
        ("porter_postprocess", [1, None], "porter_postprocess returned 1 predictions, must return a list of 2"),
        ("porter_postprocess", np.zeros(2), "porter_postprocess returned ndarray, must return a list of 2"),
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
        "porter_preprocess": (IMAGE, SPEC),
        "porter_reference": (IMAGE, SPEC),
        "porter_infer": (None, {"image": np.zeros((2, 3, 16, 16), np.float32)}, SPEC),
        "porter_postprocess": (ROW, SPEC, ()),
    }
    return getattr(registry.model(model)[1], hook.removeprefix("porter_"))(*arguments[hook])


def test_what_a_hook_raises_is_one_line_with_the_place() -> None:
    def porter_load(request: LoadRequest) -> Loaded:
        raise KeyError("conv1\nweight")

    with pytest.raises(PluginError, match=r"^plugin 'other': porter_load raised KeyError: .* \(test_\w+\.py:\d+\)$"):
        call(create_registry([("other", offering(porter_load=porter_load))]), "porter_load")


def test_a_hook_that_exits_does_not_end_the_run_as_if_it_had_passed() -> None:
    with pytest.raises(PluginError, match=r"^plugin 'other': porter_load raised SystemExit: 0 \("):
        call(create_registry([("other", offering(porter_load=lambda: sys.exit(0)))]), "porter_load")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"inputs": ()}, "inputs: empty"),
        ({"outputs": ()}, "outputs: empty"),
        ({"num_classes": "3"}, "num_classes: expected `int | null`, got `str`"),
        ({"num_classes": np.int64(3)}, "num_classes: expected `int | null`, got `int64`"),
        ({"task": None}, "task: expected `str`, got `null`"),
        ({"checkpoint": Path("a.pth")}, "checkpoint: expected `str`, got `PosixPath`"),
        ({"preprocess": replace(SPEC.image, resize=18.5)}, "preprocess.resize: expected `int`, got `float`"),  # type: ignore[arg-type]
        ({"preprocess": replace(SPEC.image, crop=16)}, "preprocess.crop: expected `array`, got `int`"),  # type: ignore[arg-type]
        ({"preprocess": replace(SPEC.image, interpolation="cubic")}, "invalid enum value 'cubic'"),  # type: ignore[arg-type]
        ({"published": {"top1": 75.0}}, "published: object missing required field `source`"),
        ({"class_names": ("a", "b"), "num_classes": 3}, "class_names: 2 names for num_classes 3"),
        ({"published": published("(")}, "published.image_pattern: not a regular expression: missing )"),
    ],
)
def test_a_spec_with_a_wrong_field_is_refused(change: dict[str, Any], why: str) -> None:
    spec = replace(SPEC, **change)
    with pytest.raises(PluginError, match=r"^plugin 'other': porter_describe: ") as caught:
        call(create_registry([("other", offering(porter_describe=lambda: spec))]), "porter_describe")
    assert why in str(caught.value)


def test_a_list_in_a_spec_becomes_a_tuple() -> None:
    preprocess = replace(SPEC.image, mean=[0.5] * 3, crop=[16, 16])  # type: ignore[arg-type]
    spec = replace(SPEC, inputs=list(SPEC.inputs), preprocess=preprocess)  # type: ignore[arg-type]
    assert call(create_registry([("other", offering(porter_describe=lambda: spec))]), "porter_describe") == SPEC


def test_a_helper_that_raised_is_named_not_the_model_that_was_run() -> None:
    def porter_preprocess(sample: Image) -> np.ndarray:
        raise LookupError("no table")

    registry = create_registry([("other", offering()), ("helper", plugin(porter_preprocess=porter_preprocess))])
    with pytest.raises(PluginError, match=r"plugin 'helper': porter_preprocess raised LookupError: no table \("):
        call(registry, "porter_preprocess")


def test_a_hook_that_nobody_implements_is_named() -> None:
    with pytest.raises(PluginError, match="no plugin implements porter_load for this model; 'other' should"):
        call(create_registry([("other", offering())]), "porter_load")


def test_a_default_that_is_switched_off_is_named() -> None:
    registry = create_registry([("other", offering())], disabled=["defaults"])
    with pytest.raises(PluginError, match=r"porter_infer .*\(disabled by PORTER_DISABLE_PLUGINS: defaults\)"):
        call(registry, "porter_infer")


def test_errors_for_the_user_pass_as_they_are() -> None:
    def porter_load(request: LoadRequest) -> Loaded:
        raise BadInput("weights.pth: cut short")

    with pytest.raises(BadInput, match=r"^weights\.pth: cut short$"):
        call(create_registry([("other", offering(porter_load=porter_load))]), "porter_load")


def test_a_package_that_is_not_installed_is_something_the_machine_lacks() -> None:
    def porter_load(request: LoadRequest) -> Loaded:
        import a_package_that_is_not_there  # type: ignore[import-not-found]

        return a_package_that_is_not_there.load()  # type: ignore[no-any-return]

    with pytest.raises(Missing, match="porter_load needs the module 'a_package_that_is_not_there'") as caught:
        call(create_registry([("other", offering(porter_load=porter_load))]), "porter_load")
    assert caught.value.exit_code is ExitCode.MISSING

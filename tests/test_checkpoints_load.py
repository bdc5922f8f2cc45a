"""Weights are loaded strictly: all of the model's entries, checked first, or none."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from porter.checkpoints.read import RawCheckpoint
from porter.checkpoints.strict_load import load_into
from porter.checkpoints.unwrap import find_weights
from porter.errors import BadInput
from porter.records.loaded import LoadReport

State = dict[str, Any]


def make_net(classes: int = 3, width: int = 4) -> nn.Sequential:
    """conv → batch norm → classifier; 8 entries, one of them a batch counter."""
    parts = [
        ("conv", nn.Conv2d(3, width, 3)),
        ("norm", nn.BatchNorm2d(width)),
        ("pool", nn.AdaptiveAvgPool2d(1)),
        ("flat", nn.Flatten()),
        ("classifier", nn.Linear(width, classes)),
    ]
    return nn.Sequential(OrderedDict(parts))


def make_state(**options: int) -> State:
    """Weights unlike those of any fresh net, batch norm included."""
    generator = torch.Generator().manual_seed(7)
    state = make_net(**options).state_dict()
    return {
        name: torch.tensor(5)
        if name.endswith("batches_tracked")
        else torch.rand(value.shape, generator=generator) + 0.5
        for name, value in state.items()
    }


def load(net: nn.Module, content: object, *, weights: str | None = None, **options: Any) -> LoadReport:
    raw = RawCheckpoint(path=Path("w.pth"), format="zip", safe=True, content=content)
    return load_into(net, find_weights(raw, weights=weights), **options)


def refusal(content: object, net: nn.Module | None = None, **options: Any) -> str:
    """The line that refuses `content`. The net that it was for is untouched."""
    net = make_net() if net is None else net.train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    with pytest.raises(BadInput) as caught:
        load(net, content, **options)
    assert net.training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    text = str(caught.value)
    assert text.isprintable()
    assert text.startswith("w.pth: ")
    return text.removeprefix("w.pth: ")


def renamed(state: State, change: Callable[[str], str]) -> State:
    return {change(name): value for name, value in state.items()}


def without(state: State, *names: str) -> State:
    return {name: value for name, value in state.items() if name not in names}


def holds(net: nn.Module, state: State) -> bool:
    return all(torch.equal(value, state[name]) for name, value in net.state_dict().items())


def test_everything_is_loaded_and_counted() -> None:
    net, state = make_net(), make_state()
    report = load(net, {"state_dict": state, "epoch": 3, "model": "net"})
    assert holds(net, state)
    assert not net.training
    assert report == LoadReport(
        format="zip",
        safe=True,
        weights="state_dict",
        beside=("epoch", "model"),
        expected=8,
        loaded=8,
        parameters=4 * 3 * 9 + 4 + 4 + 4 + 3 * 4 + 3,
        dtypes=("float32", "int64"),
    )


@pytest.mark.parametrize(
    "prefix",
    ["module.", "model.", "module.module.", "module.model.", "model.module.", "_orig_mod.", "module._orig_mod.model."],
)
def test_prefixes_are_taken_off(prefix: str) -> None:
    """Field case A: with `strict=False` these load nothing, in silence."""
    net, state = make_net(), make_state()
    wrapped = renamed(state, lambda name: prefix + name)
    silent = make_net().load_state_dict(wrapped, strict=False)
    assert (len(silent.missing_keys), len(silent.unexpected_keys)) == (8, 9)
    report = load(net, wrapped)
    assert holds(net, state)
    assert (report.prefix, report.loaded, report.renamed, report.skipped) == (prefix, 8, 9, ())


@pytest.mark.parametrize("own", ["model.", "module.", "model.model."])
@pytest.mark.parametrize("prefix", ["", "module.", "model."])
def test_a_submodule_named_like_a_prefix_keeps_its_name(own: str, prefix: str) -> None:
    net: nn.Module = make_net()
    for part in own.split(".")[:-1]:
        net = nn.Sequential(OrderedDict([(part, net)]))
    state = renamed(make_state(), lambda name: own + name)
    report = load(net, renamed(state, lambda name: prefix + name))
    assert holds(net, state)
    assert report.prefix == prefix


def test_entries_without_the_prefix_are_skipped() -> None:
    state = make_state()
    wrapped = {**renamed(state, lambda name: f"module.{name}"), "n_averaged": torch.tensor(3)}
    report = load(make_net(), wrapped)
    assert (report.prefix, report.loaded, report.skipped) == ("module.", 8, ("n_averaged",))


def test_a_prefix_on_some_entries_only_is_not_taken_off() -> None:
    """`module.classifier` is not `classifier` while the rest of the model is bare."""
    mixed = renamed(make_state(), lambda name: f"module.{name}" if name.startswith("classifier") else name)
    text = refusal(mixed)
    assert "entries of the model: 'classifier.weight', 'classifier.bias'" in text
    assert "The checkpoint has 'module.classifier.weight' with the shape" in text


def test_the_model_twice_under_two_prefixes_is_refused() -> None:
    state = make_state()
    twice = {**renamed(state, lambda name: f"model.{name}"), **renamed(state, lambda name: f"module.{name}")}
    assert "contains the weights twice" in refusal(twice)
    assert "'', 'model.'" in refusal({**state, **renamed(state, lambda name: f"model.{name}")})


def test_a_plugin_chooses_the_prefixes() -> None:
    wrapped = renamed(make_state(), lambda name: f"backbone.{name}")
    assert load(make_net(), wrapped, prefixes=("backbone.",)).prefix == "backbone."


def test_missing_entries_are_named() -> None:
    state = make_state()
    text = refusal(without(state, "conv.weight"))
    assert text == "missing 1 of 8 entries of the model: 'conv.weight'"
    assert "missing 7 of 8 entries of the model: 'conv.bias', 'norm.weight', 'norm.bias' and 4 more" in refusal(
        {"conv.weight": state["conv.weight"]}
    )
    assert "is it the checkpoint of another model?" in refusal({"x": torch.ones(1)})


def test_a_renamed_layer_is_suspected() -> None:
    text = refusal(renamed(make_state(), lambda name: name.replace("classifier", "fc")))
    assert "The checkpoint has 'fc.weight' with the shape of 'classifier.weight': was the layer renamed?" in text


def test_only_batch_counters_may_be_absent() -> None:
    net, state = make_net(), make_state()
    report = load(net, without(state, "norm.num_batches_tracked"))
    assert (report.expected, report.loaded, report.forgiven) == (8, 8, ("norm.num_batches_tracked",))
    assert net.state_dict()["norm.num_batches_tracked"] == 0
    for name in without(state, "norm.num_batches_tracked"):
        assert repr(name) in refusal(without(state, name))


def test_averaged_batch_counters_are_accepted() -> None:
    net = make_net()
    load(net, {**make_state(), "norm.num_batches_tracked": torch.tensor(12.6)})
    assert net.state_dict()["norm.num_batches_tracked"] == 12


def test_entries_without_a_place_are_skipped_and_recorded() -> None:
    state = make_state()
    report = load(make_net(), {**state, "aux.weight": torch.ones(2), "epoch": 3, "evil\n\x1b[2J": torch.ones(1)})
    assert report.loaded == 8
    assert report.skipped == ("aux.weight", "evil \\x1b[2J", "epoch")


def test_another_shape_is_refused_with_both() -> None:
    text = refusal(make_state(width=5))
    assert "'conv.weight' is [5, 3, 3, 3], the model has [4, 3, 3, 3], 6 more differ" in text
    assert "another variant" in text


def test_a_head_of_other_classes_is_named_as_such() -> None:
    hint: dict[str, Any] = {"head": ("classifier",), "head_hint": "MODEL.NUM_CLASSES in net.yaml"}
    text = refusal(make_state(classes=10), **hint)
    assert text.startswith("the checkpoint has 10 classes, the config 3 (MODEL.NUM_CLASSES in net.yaml); ")
    assert "'classifier.weight' is [10, 4], the model has [3, 4]" in text
    # Without knowledge of the head, and where other entries differ too, it is just another shape.
    assert "classes" not in refusal(make_state(classes=10))
    assert "classes" not in refusal(make_state(classes=10, width=5), **hint)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_not_finite_are_refused(value: float) -> None:
    state = make_state()
    for name in ("norm.running_var", "classifier.weight"):
        state[name].view(-1)[1] = value
    text = refusal(state)
    assert text == "'norm.running_var' contains NaN or infinity; the same for 1 more: 'classifier.weight'"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_float_types_become_the_models(dtype: torch.dtype) -> None:
    net, state = make_net(), make_state()
    stored = {name: value.to(dtype) if value.is_floating_point() else value for name, value in state.items()}
    report = load(net, stored)
    assert holds(net, {name: value.to(state[name].dtype) for name, value in stored.items()})
    assert report.dtypes == tuple(sorted((str(dtype).removeprefix("torch."), "int64")))
    assert net.state_dict()["conv.weight"].dtype == torch.float32


def test_values_beyond_the_models_type_are_refused() -> None:
    state = make_state()
    state["conv.bias"][0] = 1e30
    assert load(make_net().double(), state).loaded == 8
    assert "'conv.bias' contains values beyond the range of the model's float16" in refusal(state, make_net().half())


def strange(name: str) -> Tensor:
    """A 3-vector that is no plain float tensor."""
    ones = torch.ones(3)
    return {
        "int64": ones.long(),
        "uint8": ones.byte(),
        "bool": ones.bool(),
        "complex64": ones.to(torch.complex64),
        "float8_e4m3fn": ones.to(torch.float8_e4m3fn),
        "sparse": ones.to_sparse(),
        "quantised": torch.quantize_per_tensor(ones, 0.1, 0, torch.qint8),
        "meta": ones.to("meta"),
        "nested": torch.nested.nested_tensor([ones]),
    }[name]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "kind", ["int64", "uint8", "bool", "complex64", "float8_e4m3fn", "sparse", "quantised", "meta", "nested"]
)
def test_other_kinds_of_tensor_are_refused(kind: str) -> None:
    text = refusal({**make_state(), "classifier.bias": strange(kind)})
    assert text.startswith("'classifier.bias' ")
    assert kind in text
    # Where the model has no place for it, it does no harm.
    assert load(make_net(), {**make_state(), "extra.bias": strange(kind)}).skipped == ("extra.bias",)


def test_integer_buffers_keep_their_values() -> None:
    net = nn.Sequential()
    net.register_buffer("index", torch.zeros(2, dtype=torch.int16))
    load(net, {"index": torch.tensor([300, -2])})
    assert net.state_dict()["index"].tolist() == [300, -2]
    assert "beyond the range of the model's int16" in refusal({"index": torch.tensor([70000, 0])}, net)
    assert "is float32, should be int16" in refusal({"index": torch.tensor([1.0, 0.0])}, net)
    assert "is bool, should be int16" in refusal({"index": torch.tensor([True, False])}, net)


@pytest.mark.parametrize("prefix", ["", "module."])
def test_an_entry_that_is_no_tensor_is_named(prefix: str) -> None:
    state = renamed({**make_state(), "conv.bias": 0.5}, lambda name: prefix + name)
    assert f"'{prefix}conv.bias': expected a tensor, found float" in refusal(state)


def test_a_module_without_entries_takes_any_file() -> None:
    report = load(nn.Flatten(), {"x": torch.ones(1)})
    assert (report.expected, report.loaded, report.skipped) == (0, 0, ("x",))


def test_state_that_is_no_tensor_stays_the_modules_own() -> None:
    class Noted(nn.Linear):
        note = "own"

        def get_extra_state(self) -> str:
            return self.note

        def set_extra_state(self, state: str) -> None:
            self.note = state

    net = Noted(2, 1)
    state = {"weight": torch.ones(1, 2), "bias": torch.ones(1), "_extra_state": "theirs"}
    assert load(net, state).skipped == ("_extra_state",)
    assert net.note == "own"


def test_the_choice_of_weights_reaches_the_report() -> None:
    state = make_state()
    average = {name: value + 1 for name, value in state.items()}
    net = make_net()
    report = load(net, {"state_dict": state, "state_dict_ema": average}, weights="state_dict_ema")
    assert (report.weights, report.weights_offered) == ("state_dict_ema", ("state_dict", "state_dict_ema"))
    assert holds(net, average)

"""Core holds a loaded model against its checkpoint by values, whatever the plugin says."""

from __future__ import annotations

import copy
import json
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from safetensors.torch import save_file
from torch import nn

from porter import Loaded, LoadReport, LoadRequest, find_weights, hookimpl, load_into, read_checkpoint
from porter.checkpoints.odd_contents import odd_contents
from porter.pipeline.job.inputs import input_file
from porter.pipeline.judge.verdicts import judge
from porter.pipeline.judge.weights_evidence import stated_evidence
from porter.pipeline.weights_auditing import audit_weights
from porter.records.artefact import SessionInfo
from porter.records.evaluation import Evaluation, Metric
from porter.records.record import RunRecord, State, Verdict
from porter.records.request import RunRequest
from porter.records.spec import Published, PublishedMetric
from porter.records.weights_audit import WeightsAudit

State_dict = dict[str, Any]


class Block(nn.Sequential):
    def __init__(self, width: int, bias: bool = False) -> None:
        conv = nn.Conv2d(width, width, 3, padding=1, bias=bias)
        super().__init__(OrderedDict(conv=conv, norm=nn.BatchNorm2d(width), act=nn.ReLU()))


class Net(nn.Module):
    """A stem, a stage of blocks, a classifier of three classes."""

    def __init__(self, blocks: int = 2, width: int = 6) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3)
        self.stage = nn.Sequential(*(Block(width) for _ in range(blocks)))
        self.head = nn.Linear(width, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.stage(self.stem(images)).mean((2, 3)))  # type: ignore[no-any-return]


def trained(net: nn.Module, seed: int = 7) -> State_dict:
    """A state that no initialisation gives."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.tensor(500) if value.dtype == torch.int64 else torch.rand(value.shape, generator=generator) + 0.5
        for name, value in net.state_dict().items()
    }


Load = Callable[[Path], tuple[nn.Module, dict[str, tuple[str, ...]]]]


class Plugin(tiny.TinyPlugin):
    """Loads as a test says, and reports that all is well."""

    def __init__(self, load: Load, says: str | None = None) -> None:
        super().__init__()
        self._load, self._says = load, says

    @hookimpl
    def porter_load(self, request: LoadRequest) -> Loaded:
        assert request.checkpoint is not None
        net, derived = self._load(request.checkpoint)
        count = len(net.state_dict())
        report = LoadReport(
            format="mine",
            safe=True,
            weights=self._says or request.weights or "",
            expected=count,
            loaded=count,
            parameters=1,
            derived=derived,
        )
        return Loaded(spec=self.spec, module=net.eval(), report=report)


def audit(tmp_path: Path, content: Any, load: Load, says: str | None = None, **options: Any) -> WeightsAudit:
    path = tmp_path / "w.pth"
    torch.save(content, path)
    data = tmp_path / "images"
    labels = tiny.write_photos(data, [0, 1, 2])
    plugin = Plugin(load, says)
    run = tiny.start(tmp_path / "out", data, labels, plugin=plugin, checkpoint=str(path), **options)
    return audit_weights(run.job)


def verdict(found: WeightsAudit) -> Verdict:
    report = LoadReport(format="mine", safe=True, weights="", expected=1, loaded=1, parameters=1)
    blank = RunRecord(porter="", created="", command="", request=RunRequest(model="tiny"))
    return judge(replace(blank, load=report, weights_audit=found)).verdicts[0]


def passes(found: WeightsAudit) -> bool:
    return verdict(found).state is State.PASS


def loading(net: nn.Module, *, key: str = "", change: Callable[[State_dict], State_dict] = lambda s: s) -> Load:
    """As people write it: strict=False, from the dictionary under a key."""

    def load(path: Path) -> tuple[nn.Module, dict[str, tuple[str, ...]]]:
        content = torch.load(path, weights_only=False)
        net.load_state_dict(change(content[key] if key else content), strict=False)
        return net, {}

    return load


def strip(prefix: str) -> Callable[[State_dict], State_dict]:
    return lambda state: {name.removeprefix(prefix): value for name, value in state.items()}


# --- healthy ---


def wrapped(make: Callable[[State_dict], Any]) -> Any:
    return make(trained(Net()))


HEALTHY: dict[str, tuple[Callable[[State_dict], Any], str, Callable[[State_dict], State_dict]]] = {
    "bare": (lambda s: s, "", lambda s: s),
    "module.": (lambda s: {"state_dict": {f"module.{k}": v for k, v in s.items()}}, "state_dict", strip("module.")),
    "net.": (lambda s: {f"net.{k}": v for k, v in s.items()}, "", strip("net.")),
    "half": (lambda s: {k: v.half() if v.is_floating_point() else v for k, v in s.items()}, "", lambda s: s),
    "bfloat16": (lambda s: {k: v.bfloat16() if v.is_floating_point() else v for k, v in s.items()}, "", lambda s: s),
    "another head": (lambda s: {**s, "aux.weight": torch.rand(4, 5), "aux.bias": torch.rand(4)}, "", lambda s: s),
    "profiler": (
        lambda s: {**s, "stage.0.total_ops": torch.tensor([5e6]), "stage.0.mask": torch.ones(9)},
        "",
        lambda s: s,
    ),
    "no counters": (lambda s: {k: v for k, v in s.items() if "batches" not in k}, "", lambda s: s),
    "renamed": (
        lambda s: {k.replace("stage.", "layers.").replace("norm", "bn"): v for k, v in s.items()},
        "",
        lambda s: {k.replace("layers.", "stage.").replace("bn", "norm"): v for k, v in s.items()},
    ),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_a_whole_model_passes_however_it_was_saved(tmp_path: Path, name: str) -> None:
    make, key, change = HEALTHY[name]
    found = audit(tmp_path, wrapped(make), loading(Net(), key=key, change=change))
    assert passes(found), verdict(found).evidence
    assert (found.matched, found.tensors) == (14, 14) and not found.not_compared
    assert all(one.fails is False for one in found.suspicions)


def test_a_network_in_half_precision_behind_a_wrapper_passes(tmp_path: Path) -> None:
    net = nn.Sequential(OrderedDict(net=Net().half()))
    load = loading(net, change=lambda s: {f"net.{k}": v for k, v in s.items()})
    assert passes(audit(tmp_path, trained(Net()), load))


def folded(path: Path) -> tuple[nn.Module, dict[str, tuple[str, ...]]]:
    net = Net()
    net.load_state_dict(torch.load(path))
    net.eval()
    for block in net.stage:
        block.conv, block.norm = nn.utils.fuse_conv_bn_eval(block.conv, block.norm), nn.Identity()
    return net, {}


@pytest.mark.parametrize("dead", [1.0, 1e-30, 0.0])
def test_folded_batch_norms_pass_without_a_word_of_the_plugin(tmp_path: Path, dead: float) -> None:
    state = trained(Net())
    state["stage.0.conv.weight"][:2] *= dead
    found = audit(tmp_path, state, folded)
    assert passes(found), verdict(found).evidence
    assert (found.matched, found.folded, found.derived) == (4, 4, 0)


def test_a_wrong_fold_fails(tmp_path: Path) -> None:
    def load(path: Path) -> Any:
        net, derived = folded(path)
        net.stage[1].conv.bias.data += 0.1
        return net, derived

    found = audit(tmp_path, trained(Net()), load)
    assert not passes(found) and "'stage.1.conv.bias'" in found.strangers


def test_what_the_plugin_computes_is_declared(tmp_path: Path) -> None:
    state = trained(Net())

    def load(path: Path, says: bool) -> Any:
        net = Net()
        net.load_state_dict(torch.load(path))
        net.head.weight.data = net.head.weight.data.flip(0).contiguous()
        return net, {"head.weight": ("head.weight",)} if says else {}

    silent = audit(tmp_path, state, lambda path: load(path, False))
    assert list(silent.strangers) == ["'head.weight'"] and silent.homeless
    found = audit(tmp_path, state, lambda path: load(path, True))
    assert passes(found) and found.derived == 1


def test_buffers_of_the_networks_code_are_a_note(tmp_path: Path) -> None:
    net = Net()
    net.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]))
    found = audit(tmp_path, trained(Net()), loading(net))
    assert passes(found) and found.constants == ("'mean'",)


# --- wrong ---


def test_layers_that_were_not_loaded_are_named(tmp_path: Path) -> None:
    without = loading(Net(), change=lambda s: {k: v for k, v in s.items() if not k.startswith("stage.1.conv")})
    found = audit(tmp_path, trained(Net()), without)
    assert not passes(found)
    assert list(found.strangers) == ["'stage.1.conv.weight'"] and found.homeless == ("'stage.1.conv.weight'",)


def test_nothing_was_loaded(tmp_path: Path) -> None:
    state = {f"module.{k}": v for k, v in trained(Net()).items()}
    found = audit(tmp_path, state, loading(Net()))
    assert not passes(found) and found.strangers_count >= 8


def test_a_smaller_network_leaves_modules_of_the_file_without_a_place(tmp_path: Path) -> None:
    """Field case FA1: every name and shape fits, and half of the weights are left out."""
    found = audit(tmp_path, trained(Net(blocks=4)), loading(Net(blocks=2)))
    assert not passes(found) and not found.strangers
    assert (found.homeless_count, found.entries) == (10, 28)
    assert "'stage.2.conv.weight'" in found.homeless


def test_a_bias_without_a_place_fails(tmp_path: Path) -> None:
    state = {**trained(Net()), "stage.0.conv.bias": torch.rand(6)}
    assert audit(tmp_path, state, loading(Net())).homeless == ("'stage.0.conv.bias'",)


def test_changed_swapped_and_rounded_tensors_are_named(tmp_path: Path) -> None:
    def change(state: State_dict) -> State_dict:
        state = copy.deepcopy(state)
        state["stem.weight"][0, 0, 0, 0] += 1e-3
        state["stage.0.norm.bias"], state["stage.1.norm.bias"] = state["stage.1.norm.bias"], state["stage.0.norm.bias"]
        state["head.weight"] = state["head.weight"].half().float()
        return state

    found = audit(tmp_path, trained(Net()), loading(Net(), change=change))
    assert set(found.strangers) == {"'stem.weight'", "'stage.0.norm.bias'", "'stage.1.norm.bias'", "'head.weight'"}
    assert "1 of 162 values" in str(found.strangers["'stem.weight'"])
    assert "contains the values of stage.1.norm.bias" in str(found.strangers["'stage.0.norm.bias'"])


def test_the_set_that_was_asked_for_is_the_one_that_must_be_there(tmp_path: Path) -> None:
    both = {"state_dict": trained(Net()), "state_dict_ema": trained(Net(), 8)}
    assert passes(audit(tmp_path, both, loading(Net(), key="state_dict")))
    assert passes(audit(tmp_path, both, loading(Net(), key="state_dict_ema"), weights="state_dict_ema"))
    assert passes(audit(tmp_path, both, loading(Net(), key="state_dict_ema"), "state_dict_ema"))
    found = audit(tmp_path, both, loading(Net(), key="state_dict"), weights="state_dict_ema")
    assert not passes(found) and (found.weights, found.asked) == ("state_dict", "state_dict_ema")
    assert not passes(audit(tmp_path, both, loading(Net(), key="state_dict_ema"), "state_dict"))


def test_a_plugins_own_format_is_not_compared_and_the_verdict_says_so(tmp_path: Path) -> None:
    np.save(tmp_path / "w.npy", np.ones(3))
    data = tmp_path / "images"
    labels = tiny.write_photos(data, [0, 1, 2])
    plugin = Plugin(lambda path: (Net(), {}))
    run = tiny.start(tmp_path / "out", data, labels, plugin=plugin, checkpoint=str(tmp_path / "w.npy"))
    found = audit_weights(run.job)
    assert found.not_compared and passes(found)
    assert any("not compared with the file" in str(one) for one in verdict(found).evidence)


# --- contents ---


class Wide(nn.Module):
    def __init__(self, classes: int = 100) -> None:
        super().__init__()
        self.stage = nn.Sequential(Block(16), Block(16))
        self.head = nn.Linear(64, classes)


def learned(classes: int = 100) -> Wide:
    """As training leaves it: rows of different sizes, statistics of data."""
    net = Wide(classes)
    generator = torch.Generator().manual_seed(3)
    for value in net.state_dict().values():
        if value.is_floating_point():
            rows = torch.rand(value.shape[0], *[1] * (value.ndim - 1), generator=generator) + 0.2
            value.copy_(torch.randn(value.shape, generator=generator).abs() * rows * 0.1)
        else:
            value.fill_(900)
    return net.eval()


def spoil_nan(net: Any) -> None:
    net.stage[0].conv.weight.data[0, 0, 0, 0] = float("nan")


def spoil_head(net: Any) -> None:
    net.head.weight.data.zero_()


def spoil_constant(net: Any) -> None:
    net.stage[0].conv.weight.data.fill_(0.01)


def spoil_zero(net: Any) -> None:
    net.stage[1].conv.weight.data.zero_()


def spoil_statistics(net: Any) -> None:
    net.stage[1].norm.running_mean.zero_()
    net.stage[1].norm.running_var.fill_(1)


def spoil_reset(net: Any) -> None:
    net.stage[1].norm.reset_running_stats()


def spoil_drawn(net: Any) -> None:
    torch.manual_seed(1)
    net.stage[0].conv.reset_parameters()


def spoil_variance(net: Any) -> None:
    net.stage[0].norm.running_var.zero_()


def spoil_bit(net: Any) -> None:
    net.stage[0].conv.weight.data[0, 0, 0, 0] = 1e6


SPOILT = (spoil_nan, spoil_head, spoil_zero, spoil_constant, spoil_statistics, spoil_reset)


@pytest.mark.parametrize("spoil", [*SPOILT, spoil_drawn, spoil_variance, spoil_bit])
def test_contents_that_no_trained_model_has_fail(spoil: Callable[[Any], None]) -> None:
    net = learned()
    assert odd_contents(net, 100) == []
    spoil(net)
    found = odd_contents(net, 100)
    assert found and found[0].fails


def odd_blur(net: Any) -> None:
    net.blur = nn.Conv2d(16, 16, 3, groups=16, bias=False)
    net.blur.weight.data.fill_(1 / 9)


def odd_absorbed(net: Any) -> None:
    for block in net.stage:
        block.norm.reset_running_stats()


def odd_dead(net: Any) -> None:
    net.stage[1].conv.weight.data.zero_()
    net.stage[1].norm.running_var.fill_(1e-9)


def odd_uniform(net: Any) -> None:
    net.head.reset_parameters()


def odd_normal(net: Any) -> None:
    nn.init.normal_(net.head.weight, std=0.01)


def odd_before_another(net: Any) -> None:
    net.auxiliary = nn.Linear(net.head.in_features, net.head.out_features)
    net.auxiliary.weight.data.pow_(3)
    nn.init.normal_(net.head.weight, std=0.02)


def odd_eps(net: Any) -> None:
    net.stage[0].norm.eps = 0.3


def odd_drawn(net: Any) -> None:
    for block in net.stage:
        block.conv.reset_parameters()
        block.norm.reset_running_stats()


@pytest.mark.parametrize(
    "change", [odd_blur, odd_absorbed, odd_dead, odd_normal, odd_uniform, odd_eps, odd_drawn, odd_before_another]
)
def test_what_healthy_models_may_hold_is_a_note(change: Callable[[Any], None]) -> None:
    torch.manual_seed(1)
    net = learned()
    change(net)
    found = odd_contents(net, 100)
    assert found and not any(one.fails for one in found)


# --- wrappings ---


def load_file(path: Path, weights: str | None = None) -> tuple[Net, LoadReport]:
    net = Net()
    return net, load_into(net, find_weights(read_checkpoint(path), weights=weights))


def saved(tmp_path: Path, content: Any) -> Path:
    torch.save(content, tmp_path / "w.pth")
    return tmp_path / "w.pth"


def test_weights_and_their_average_in_one_flat_dictionary(tmp_path: Path) -> None:
    """Field case FA4."""
    plain, average = trained(Net()), trained(Net(), 8)
    flat = {f"model.{k}": v for k, v in plain.items()} | {f"ema_model.module.{k}": v for k, v in average.items()}
    path = saved(tmp_path, {"state_dict": {**flat, "ema_model.n_averaged": torch.tensor(9)}, "epoch": 3})
    for weights, wanted in ((None, plain), ("state_dict.ema_model", average), ("ema_model", average), ("model", plain)):
        net, report = load_file(path, weights)
        assert torch.equal(net.head.weight, wanted["head.weight"])
        assert report.weights_offered == ("state_dict.model", "state_dict.ema_model")
    bare = saved(tmp_path, {**plain, **{f"model_ema.{k.replace('.', '')}": v for k, v in average.items()}})
    assert torch.equal(load_file(bare)[0].head.weight, plain["head.weight"])
    assert torch.equal(load_file(bare, "model_ema")[0].head.weight, average["head.weight"])


def test_a_submodule_called_ema_is_no_average(tmp_path: Path) -> None:
    state = {**trained(Net()), "ema.conv.weight": torch.rand(2, 2)}
    assert load_file(saved(tmp_path, state))[1].weights_offered == ()


def test_one_unknown_prefix_is_taken_off_and_two_are_a_choice(tmp_path: Path) -> None:
    """Field case FA2."""
    one, two = trained(Net()), trained(Net(), 8)
    assert load_file(saved(tmp_path, {f"encoder.net.{k}": v for k, v in one.items()}))[1].prefix == "encoder.net."
    both = {f"student.{k}": v for k, v in one.items()} | {f"teacher.{k}": v for k, v in two.items()}
    with pytest.raises(Exception, match="--weights student"):
        load_file(saved(tmp_path, both))
    assert torch.equal(load_file(saved(tmp_path, both), "teacher")[0].head.weight, two["head.weight"])


def test_shards_are_loaded_through_their_index_and_counted_as_input(tmp_path: Path) -> None:
    """Field case FA6."""
    state, parts = trained(Net()), ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    where = {name: parts[number % 2] for number, name in enumerate(state)}
    for part in parts:
        save_file({name: value for name, value in state.items() if where[name] == part}, tmp_path / part)
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": where}))
    net, report = load_file(index)
    assert report.format == "safetensors" and all(torch.equal(v, state[k]) for k, v in net.state_dict().items())
    before = input_file("checkpoint", index, None, shipped=False)
    assert before.files == 3
    with pytest.raises(Exception, match=r"shard 1 of 2\. Use the index, model\.safetensors\.index\.json"):
        load_file(tmp_path / parts[0])
    save_file({name: value + 1 for name, value in state.items() if where[name] == parts[0]}, tmp_path / parts[0])
    assert input_file("checkpoint", index, None, shipped=False).sha256 != before.sha256
    (tmp_path / parts[1]).unlink()
    with pytest.raises(Exception, match="1 of its 2 shards are missing"):
        load_file(index)


@pytest.mark.parametrize("name", ["../w.pth", "/etc/passwd", "a/b", "..", ""])
def test_an_index_names_files_beside_it_alone(tmp_path: Path, name: str) -> None:
    index = tmp_path / "m.index.json"
    index.write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(Exception, match="which is not beside the index"):
        read_checkpoint(index)


def test_arrays_of_numpy_are_weights(tmp_path: Path) -> None:
    state = {name: np.asfortranarray(value) if value.ndim else value.numpy() for name, value in trained(Net()).items()}
    net, report = load_file(saved(tmp_path, {"model": state, "best_acc1": np.float64(0.7)}))
    assert report.safe and torch.equal(net.head.weight, trained(Net())["head.weight"])


def test_empty_tensors_of_deepspeed_are_named(tmp_path: Path) -> None:
    state = {name: torch.empty(0) if value.ndim else value for name, value in trained(Net()).items()}
    with pytest.raises(Exception, match=r"zero_to_fp32\.py"):
        load_file(saved(tmp_path, {"module": state}))


def test_a_lightning_checkpoint(tmp_path: Path) -> None:
    state = {f"model.{k}": v for k, v in trained(Net()).items()} | {"criterion.weight": torch.rand(3)}
    content = {"epoch": 4, "pytorch-lightning_version": "2.1", "state_dict": state, "callbacks": {}, "loops": {}}
    report = load_file(saved(tmp_path, content))[1]
    assert (report.prefix, report.skipped) == ("model.", ("criterion.weight",))


@pytest.mark.parametrize(
    ("stated", "images", "contradicted"), [(76.8, 3, False), (79.0, 3, True), (79.0, 4, False), (60.0, 3, False)]
)
def test_a_stated_accuracy_is_held_against_as_many_images_alone(stated: float, images: int, contradicted: bool) -> None:
    info = SessionInfo(runtime="pytorch", version="2", precision="fp32", provider="CPU", threads=1)
    score = Metric(name="top1", title="top-1", value=76.0, count=3)
    counts: dict[str, Any] = {"batch": 1, "listed": 3, "scored": 3, "unreadable": 0, "nonfinite": 0, "failures": ()}
    reference = Evaluation(
        name="reference", title="reference", session=info, metrics=(score,), end_to_end=None, **counts
    )
    published = Published(source="x", dataset="y", images=images, metrics=(PublishedMetric(name="top1", value=76.0),))
    record = RunRecord(
        porter="",
        created="",
        command="",
        request=RunRequest(model="tiny"),
        model=replace(tiny.SPEC, published=published),
        evaluations=(reference,),
        weights_audit=WeightsAudit(stated={"best_acc1": stated, "epoch": 99.0}),
    )
    evidence, wrong = stated_evidence(record)
    assert wrong is contradicted
    assert str(evidence[0]).startswith(f"the checkpoint states `best_acc1` {stated:.2f}")


def test_what_the_checkpoint_states_is_recorded(tmp_path: Path) -> None:
    content = {"state_dict": trained(Net()), "best_acc1": np.float64(76.8), "perf": torch.tensor(0.5), "epoch": 9}
    found = audit(tmp_path, content, loading(Net(), key="state_dict"))
    assert found.stated == {"best_acc1": 76.8, "perf": 50.0, "epoch": 9.0}

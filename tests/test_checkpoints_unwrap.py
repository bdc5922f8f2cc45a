"""The weights are found wherever training scripts put them, and never chosen where there is no reason to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from porter.checkpoints.read import RawCheckpoint, read_checkpoint
from porter.checkpoints.strict_load import load_into
from porter.checkpoints.unwrap import Weights, find_weights
from porter.errors import BadInput

STATE = {"0.weight": torch.arange(6.0).reshape(2, 3), "0.bias": torch.tensor([0.5, -1.0])}
OTHER = {name: value + 1 for name, value in STATE.items()}
FILE = Path("w.pth")


def find(content: object, *, weights: str | None = None, safe: bool = True) -> Weights:
    return find_weights(RawCheckpoint(path=FILE, format="zip", safe=safe, content=content), weights=weights)


def refusal(content: object, *, weights: str | None = None) -> str:
    with pytest.raises(BadInput) as caught:
        find(content, weights=weights)
    text = str(caught.value)
    assert text.isprintable()
    assert text.startswith("w.pth: ")
    return text.removeprefix("w.pth: ")


def is_state(found: Weights, state: dict[str, torch.Tensor] = STATE) -> bool:
    return found.entries.keys() == state.keys() and all(torch.equal(found.entries[k], v) for k, v in state.items())


WRAPPINGS: list[tuple[Any, str]] = [
    (STATE, ""),
    ({"state_dict": STATE, "epoch": 3}, "state_dict"),
    ({"model": STATE, "optimizer": {"state": {0: {"exp_avg": torch.ones(2)}}, "param_groups": []}}, "model"),
    ({"net": STATE, "acc": 93.1}, "net"),
    ({"model_state_dict": STATE, "loss": torch.tensor(0.3)}, "model_state_dict"),
    ({"module": STATE}, "module"),
    ({"network": STATE}, "network"),
    ({"weights": STATE}, "weights"),
    ({"params": STATE}, "params"),
    ({"state_dict": {"model": STATE, "step": 1}}, "state_dict.model"),
    ({"model": {"state_dict": STATE}}, "model.state_dict"),
    ({"model": {"net": {"state_dict": STATE}}}, "model.net.state_dict"),
    ({"model": "cls_net", "state_dict": STATE, "epoch": 100, "best_model": True}, "state_dict"),
    ({"model": None, "ema": STATE}, "ema"),
    ({"model": {}, "model_ema": STATE}, "model_ema"),
]


@pytest.mark.parametrize(("content", "key"), WRAPPINGS, ids=[key or "bare" for _content, key in WRAPPINGS])
def test_the_weights_are_found_in_every_wrapping(content: Any, key: str) -> None:
    found = find(content)
    assert is_state(found)
    assert found.key == key
    assert found.offered == ()


@pytest.mark.parametrize("legacy", [False, True])
def test_every_wrapping_in_a_file_gives_the_same_model(tmp_path: Path, legacy: bool) -> None:
    """Field case A: one set of weights, saved in every wrapping and with every prefix, gives the same outputs."""
    images = torch.rand(4, 3)
    reference = torch.nn.Sequential(torch.nn.Linear(3, 2))
    reference.load_state_dict(STATE)
    for number, (_content, key) in enumerate(WRAPPINGS):
        for prefix in ("", "module.", "model.", "module.module.", "module.model.", "_orig_mod.module."):
            content: Any = {prefix + name: value for name, value in STATE.items()}
            for part in reversed(key.split(".") if key else []):
                content = {part: content, "best_acc1": np.float64(76.8)}
            path = tmp_path / f"{number}-{prefix}pth"
            torch.save(content, path, _use_new_zipfile_serialization=not legacy)
            net = torch.nn.Sequential(torch.nn.Linear(3, 2))
            report = load_into(net, find_weights(read_checkpoint(path)))
            assert torch.equal(net(images), reference(images))
            assert (report.safe, report.weights, report.prefix, report.loaded) == (True, key, prefix, 2)


@settings(max_examples=60)
@given(
    keys=st.lists(st.sampled_from(["state_dict", "model", "net", "module", "params", "weights"]), max_size=4),
    prefixes=st.lists(st.sampled_from(["module.", "model.", "_orig_mod."]), max_size=4),
    beside=st.dictionaries(
        st.sampled_from(["epoch", "args", "optim", "scaler"]), st.integers() | st.none(), max_size=2
    ),
)
def test_any_nesting_with_any_prefix_is_found(keys: list[str], prefixes: list[str], beside: dict[str, Any]) -> None:
    prefix = "".join(prefixes)
    content: Any = {prefix + name: value for name, value in STATE.items()}
    for key in reversed(keys):
        content = {**beside, key: content}
    found = find(content)
    assert found.key == ".".join(keys)
    net = torch.nn.Sequential(torch.nn.Linear(3, 2))
    assert load_into(net, found).prefix == prefix
    assert torch.equal(net.state_dict()["0.weight"], STATE["0.weight"])


@pytest.mark.parametrize("average", ["state_dict_ema", "model_ema", "ema", "params_ema", "ema_state_dict", "swa_model"])
def test_trained_weights_go_before_their_average(average: str) -> None:
    content = {average: OTHER, "state_dict": STATE, "epoch": 1}
    found = find(content)
    assert is_state(found)
    assert (found.key, found.offered, found.beside) == ("state_dict", (average, "state_dict"), ("epoch",))
    chosen = find(content, weights=average)
    assert is_state(chosen, OTHER)
    assert (chosen.key, chosen.offered, chosen.beside) == (average, (average, "state_dict"), ("epoch",))


def test_a_nested_set_is_chosen_by_its_dotted_key() -> None:
    content = {"model": {"state_dict": STATE, "ema": OTHER, "arch": "x"}, "a.b": {"c": OTHER}}
    assert find(content).key == "model.state_dict"
    assert find(content).beside == ("a.b", "model.arch")
    assert is_state(find(content, weights="model.ema"), OTHER)
    assert is_state(find(content, weights="model"), STATE)
    assert find(content, weights="a.b.c").offered == ("model.state_dict", "model.ema", "a.b.c")


@pytest.mark.parametrize("asked", ["state_dict_em", "", "epoch", "state_dict.0", "model\x1b[31m"])
def test_an_unknown_choice_lists_what_there_is(asked: str) -> None:
    text = refusal({"state_dict": STATE, "state_dict_ema": OTHER, "epoch": 1}, weights=asked)
    assert "Weights are under 'state_dict', 'state_dict_ema'" in text
    assert "contains '0.weight' (Tensor 2x3), '0.bias' (Tensor 2)" in refusal(STATE, weights="state_dict")


def test_two_equal_candidates_are_refused() -> None:
    assert "'state_dict', 'model'. Choose one with --weights" in refusal({"state_dict": STATE, "model": OTHER})
    assert "'ema', 'model_ema'" in refusal({"ema": STATE, "model_ema": OTHER})
    assert is_state(find({"state_dict": STATE, "model": OTHER}, weights="model"), OTHER)


def test_one_dictionary_under_two_keys_is_no_choice() -> None:
    assert find({"state_dict": STATE, "model": STATE}).key == "state_dict"


def test_unusual_keys_are_listed_and_not_guessed() -> None:
    content = {"generator": STATE, "discriminator": OTHER, "epoch": 1}
    assert "tensors under 'generator', 'discriminator'. Choose one with --weights" in refusal(content)
    found = find(content, weights="discriminator")
    assert is_state(found, OTHER)
    assert found.beside == ("generator", "epoch")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"epoch": 3, "arch": "x", "state_dict": {}}, "contains 'epoch' (int), 'arch' (str), 'state_dict' (dict of 0)"),
        ({}, "contains nothing"),
        ({"optimizer": {"state": {0: {"m": torch.ones(1)}}}}, "'optimizer' (dict of 1)"),
        ({str(i): i for i in range(20)}, "'7' (int) and 12 more"),
        ({"a\nb\x1b[2J" + "x" * 10**6: 1}, "'a\\nb\\x1b[2Jxxx"),
        ({1: torch.ones(1), b"w": torch.ones(1)}, "'1' (Tensor 1)"),
        (torch.ones(2, 3), "contains a Tensor 2x3, not a state dict. Save"),
        ([STATE], "contains a list of 1, not a state dict. Save"),
        (None, "contains a NoneType, not a state dict. Save"),
    ],
)
def test_a_file_without_weights_is_described(content: Any, expected: str) -> None:
    text = refusal(content)
    assert expected in text
    assert len(text) < 500


def test_recursive_and_bottomless_files_end() -> None:
    loop: dict[str, Any] = {"epoch": 1}
    loop["state_dict"] = loop["model"] = loop["net"] = loop
    assert "no weights found" in refusal(loop)
    assert "no weights under 'state_dict.state_dict" in refusal(loop, weights=".".join(["state_dict"] * 2000))
    deep: dict[str, Any] = dict(STATE)
    for _ in range(100_000):
        deep = {"model": deep}
    assert "no weights found" in refusal(deep)


def test_entries_that_are_no_tensors_are_kept_apart() -> None:
    found = find({"state_dict": {**STATE, "scale": 0.5, "note": "x", "array": np.zeros(2), 7: None}})
    assert found.entries.keys() == {*STATE, "array"}  # an array of numpy is as good as a tensor
    assert found.not_tensors == {"scale": "float", "note": "str", "7": "NoneType"}


def test_a_trusted_module_gives_its_state_dict(tmp_path: Path) -> None:
    net = torch.nn.Sequential(torch.nn.Linear(3, 2))
    net.load_state_dict(STATE)
    for content, key in [(net, ""), ({"model": net, "ema": None, "epoch": 1}, "model")]:
        torch.save(content, tmp_path / "m.pth")
        found = find_weights(read_checkpoint(tmp_path / "m.pth", trust=True))
        assert is_state(found)
        assert (found.key, found.safe) == (key, False)


def test_attributes_forged_on_a_tensor_are_dropped() -> None:
    forged = torch.ones(2)
    forged.to = forged.numel = None  # type: ignore[method-assign, assignment]
    assert find({"w": forged}).entries["w"].to(torch.float64).numel() == 2

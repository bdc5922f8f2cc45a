"""The plugin on porter's hooks: official configs, checkpoints as people save them, and the shipped sample."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from porter import BadInput, ExitCode, ModelRequest, Run, State, testing
from porter_hrnet import plugin
from porter_hrnet.config import read_config
from porter_hrnet.network import HighResolutionNet
from porter_hrnet.plugin import SAMPLE
from porter_hrnet.published import TABLE
from porter_hrnet.variants import variant_in

SHARED = Path(__file__).resolve().parents[4] / "shared/hrnet"
State_dict = dict[str, Any]


def start(out: Path, **options: Any) -> Run:
    settings: dict[str, Any] = {"batch_sizes": (1,), "bench_seconds": 0.0, "limit": 24, **options}
    return testing.start_run(out, plugin, **settings)


def own(tmp_path: Path, checkpoint: Any, name: str = "w.pth.tar", **options: Any) -> Run:
    """A run of the sample's config and images with a checkpoint of one's own."""
    path = tmp_path / name
    torch.save(checkpoint, path)
    return start(
        tmp_path / "out",
        config=str(SAMPLE / "config.yaml"),
        checkpoint=str(path),
        data=str(SAMPLE / "val"),
        labels=str(SAMPLE / "val_label.txt"),
        **options,
    )


@pytest.fixture(scope="module")
def bare() -> State_dict:
    """The sample's weights under their official names."""
    content = torch.load(SAMPLE / "checkpoint.pth.tar", weights_only=True)
    return {name.removeprefix("module."): value for name, value in content["state_dict"].items()}


def module(weights: State_dict) -> State_dict:
    return {f"module.{name}": value for name, value in weights.items()}


WRAPPINGS: dict[str, Callable[[State_dict], Any]] = {
    "bare": lambda w: w,
    "official": lambda w: {"epoch": 100, "model": "cls_hrnet", "state_dict": module(w), "best_acc1": np.float64(76.8)},
    "model": lambda w: {"model": w, "optimizer": {"state": {}, "param_groups": []}, "epoch": 3},
    "net": lambda w: {"net": w},
    "model_state_dict": lambda w: {"model_state_dict": module(w)},
    "state_dict under module": lambda w: {"state_dict": {f"module.module.{k}": v for k, v in w.items()}},
    "model. in front": lambda w: {f"model.{k}": v for k, v in w.items()},
    "half precision": lambda w: {k: v.half() if v.is_floating_point() else v for k, v in w.items()},
}


def counted(weights: State_dict) -> int:
    """Entries without the counters of BatchNorm."""
    return sum(not name.endswith("num_batches_tracked") for name in weights)


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_checkpoints_load_as_people_save_them(tmp_path: Path, bare: State_dict, wrapping: str) -> None:
    run = own(tmp_path, WRAPPINGS[wrapping](bare))
    report = run.job.loaded.report
    assert (report.loaded, report.skipped, report.safe) == (counted(bare), (), True)
    loaded = run.job.loaded.module.state_dict()
    tolerance = 1e-2 if wrapping == "half precision" else 0.0
    assert all(torch.allclose(loaded[name], value, rtol=tolerance, atol=tolerance) for name, value in bare.items())


def test_safetensors(tmp_path: Path, bare: State_dict) -> None:
    from safetensors.torch import save_file

    save_file({name: value.contiguous() for name, value in bare.items()}, tmp_path / "w.safetensors")
    run = start(
        tmp_path / "out",
        config=str(SAMPLE / "config.yaml"),
        checkpoint=str(tmp_path / "w.safetensors"),
        data=str(SAMPLE / "val"),
        labels=str(SAMPLE / "val_label.txt"),
    )
    assert run.job.loaded.report.format == "safetensors" and run.job.loaded.report.loaded == counted(bare)


def test_ema_weights_are_chosen_by_name(tmp_path: Path, bare: State_dict) -> None:
    average = {name: value * 0.5 if value.is_floating_point() else value for name, value in bare.items()}
    both = {"state_dict": bare, "state_dict_ema": average}
    assert own(tmp_path, both).job.loaded.report.weights == "state_dict"
    run = own(tmp_path, both, weights="state_dict_ema")
    assert run.job.loaded.report.weights_offered == ("state_dict", "state_dict_ema")
    assert torch.equal(run.job.loaded.module.classifier.weight, average["classifier.weight"])


def test_a_missing_weight_ends_the_run_and_is_named(tmp_path: Path, bare: State_dict) -> None:
    with pytest.raises(BadInput, match=r"stage2\.0\.branches"):
        own(tmp_path, {k: v for k, v in bare.items() if not k.startswith("stage2.0.branches")}).export()


def test_missing_counters_are_forgiven_and_recorded(tmp_path: Path, bare: State_dict) -> None:
    report = own(tmp_path, {k: v for k, v in bare.items() if "num_batches" not in k}).job.loaded.report
    assert report.forgiven and all("num_batches_tracked" in name for name in report.forgiven)


def test_a_renamed_head_is_named(tmp_path: Path, bare: State_dict) -> None:
    renamed = {name.replace("classifier.", "fc."): value for name, value in bare.items()}
    with pytest.raises(BadInput, match=r"classifier\.weight.*fc\.weight"):
        own(tmp_path, renamed).export()


def test_a_head_for_other_classes_is_named_as_such(tmp_path: Path, bare: State_dict) -> None:
    other = {**bare, "classifier.weight": torch.zeros(7, bare["classifier.weight"].shape[1])}
    other["classifier.bias"] = torch.zeros(7)
    with pytest.raises(BadInput, match=r"head.*7 classes.*MODEL\.NUM_CLASSES"):
        own(tmp_path, other).export()


def network_state(config: Path) -> State_dict:
    """Random weights of an official network, quickly."""
    generator = torch.Generator().manual_seed(2)
    with torch.device("meta"):
        state = HighResolutionNet(read_config(config)).state_dict()
    return {
        name: torch.rand(value.shape, generator=generator) if value.is_floating_point() else torch.tensor(7)
        for name, value in state.items()
    }


def official(variant: str) -> Path:
    path = SHARED / f"cls_hrnet_{variant}_sgd_lr5e-2_wd1e-4_bs32_x100.yaml"
    if not path.is_file():
        pytest.skip("the official configs are not here")
    return path


def test_weights_of_a_larger_variant_under_a_smaller_ones_config_fail_and_the_variant_is_named(tmp_path: Path) -> None:
    """Every name and shape of w18_small_v2 is in w18's file: blocks and modules are left out, and nothing else."""
    torch.save({"state_dict": module(network_state(official("w18")))}, tmp_path / "w18.pth")
    run = start(
        tmp_path / "out",
        config=str(official("w18_small_v2")),
        checkpoint=str(tmp_path / "w18.pth"),
        data=str(SAMPLE / "val"),
        labels=str(SAMPLE / "val_label.txt"),
        label_offset=0,
    )
    assert run.export() is ExitCode.VERDICT_FAILED
    record = run.record
    verdict = record.verdicts[0]
    text = " ".join(map(str, verdict.evidence))
    assert verdict.state is State.FAIL
    assert "the same modules but are not in the model" in text and "all tensors of the file fit w18" in text
    assert record.weights_audit is not None and record.weights_audit.homeless_count > 700
    torch.save(network_state(official("w18_small_v2")), tmp_path / "w18.pth")
    with pytest.raises(BadInput, match="fit w18_small_v2: use its config"):
        start(
            tmp_path / "other",
            config=str(official("w18")),
            checkpoint=str(tmp_path / "w18.pth"),
            data=str(SAMPLE / "val"),
            labels=str(SAMPLE / "val_label.txt"),
        ).export()


def test_the_variant_of_a_file_is_told_by_its_blocks(variant: str, official_config: Path) -> None:
    with torch.device("meta"):
        state = HighResolutionNet(read_config(official_config)).state_dict()
    assert variant_in({f"net.{name}": tuple(value.shape) for name, value in state.items()}) == variant
    assert variant_in({"conv1.weight": (64, 3, 3, 3)}) == ""


@pytest.mark.parametrize("wrapping", ["official", "model. in front", "half precision"])
def test_core_finds_every_weight_in_the_file_however_it_was_saved(
    tmp_path: Path, bare: State_dict, wrapping: str
) -> None:
    run = own(tmp_path, WRAPPINGS[wrapping](bare))
    assert run.export() is ExitCode.OK
    found, audit = run.record, run.record.weights_audit
    assert found.verdicts[0].state is State.PASS, found.verdicts[0].evidence
    assert audit is not None and audit.matched == audit.tensors and not audit.suspicions


class Trap:
    def __reduce__(self) -> Any:
        import os

        return os.system, ("touch pwned",)


def test_a_checkpoint_that_runs_code_is_refused_unrun(
    tmp_path: Path, bare: State_dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match="system"):
        own(tmp_path, {"state_dict": bare, "extra": Trap()}).export()
    assert not (tmp_path / "pwned").exists()


def test_a_wrong_digest_stops_before_loading(tmp_path: Path, bare: State_dict) -> None:
    with pytest.raises(BadInput, match="md5"):
        own(tmp_path, bare, checkpoint_md5="0" * 32).export()


def test_the_sample_passes_every_verdict(tmp_path: Path) -> None:
    run = start(tmp_path / "out", limit=None)
    assert run.everything() is ExitCode.OK
    assert {verdict.name: verdict.state for verdict in run.record.verdicts} == dict.fromkeys(
        ("weights", "parity", "preprocessing", "data", "accuracy"), State.PASS
    )
    reference, candidate = run.record.evaluations
    assert 85 <= reference.metric("top1").value <= 98
    assert candidate.metric("top1").value == reference.metric("top1").value
    document = (tmp_path / "out/README.md").read_text()
    assert "shipped with the plugin" in document and "no published figure for this model" in document
    model = onnx.load(tmp_path / "out/models/hrnet_custom.onnx")
    assert model.opset_import[0].version == 11
    resizes = [node for node in model.graph.node if node.op_type == "Resize"]
    assert resizes, "the exchange between branches upsamples"


def test_batch_1_and_16_answer_alike(tmp_path: Path) -> None:
    def answers(batch: int) -> list[str]:
        run = start(tmp_path / str(batch), batch=batch, limit=40)
        run.export(), run.evaluate()
        with (tmp_path / str(batch) / "predictions.csv").open(newline="") as stream:
            return [row["class1"] for row in csv.DictReader(stream)]

    assert answers(1) == answers(16)


def test_shipped_files_never_mix_with_a_users_own(tmp_path: Path, bare: State_dict) -> None:
    torch.save(bare, tmp_path / "w.pth")
    with pytest.raises(BadInput, match="--config"):
        start(tmp_path / "out", checkpoint=str(tmp_path / "w.pth")).export()
    alone = start(tmp_path / "out", config=str(SAMPLE / "config.yaml"), checkpoint=str(tmp_path / "w.pth"))
    with pytest.raises(BadInput, match="Use --data"):
        alone.everything()


@pytest.mark.skipif(not SHARED.is_dir(), reason="the official configs are not here")
def test_the_official_config_gives_the_official_spec() -> None:
    offer, hooks = testing.registry_of(plugin).model("hrnet")
    spec = hooks.describe(ModelRequest(model="hrnet", config=SHARED / "cls_hrnet_w18_sgd_lr5e-2_wd1e-4_bs32_x100.yaml"))
    assert (spec.variant, spec.num_classes) == ("w18", 1000)
    assert (spec.preprocess.resize, spec.preprocess.crop) == (256, (224, 224))
    assert spec.published is not None and spec.published.value("top1") == 76.8
    offered = {variant.variant: variant for variant in offer.variants}
    assert offered["w18"] == spec


def test_the_readme_has_the_published_figures() -> None:
    page = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    for variant, row in TABLE.items():
        fields = f"{row.parameters} | {row.gflops:g} | {row.top1} | {row.top5}"
        assert f"| `{variant}` | {fields} |" in page

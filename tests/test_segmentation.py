"""Tasks are open: a plugin brings semantic segmentation, and every stage and document serves it as it is."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from figures import unfounded
from PIL import Image
from segmentation import coarse, plugin
from segmentation.masks import IGNORE, aligned, read_mask
from segmentation.network import weights
from segmentation.runs import iou_by_sets, predicted, rows, start, write_inputs

from porter.documents.deliver import render
from porter.errors import BadInput, ExitCode
from porter.files.hashes import folder_digest
from porter.images.pipeline import reference_pipeline
from porter.machine.statistics import wilson
from porter.pipeline.run import Run
from porter.records.evaluation import Evaluation
from porter.records.record import State
from porter.records.spec import PreprocessSpec
from porter.runfolder.layout import DOCUMENTS
from porter.runfolder.record_file import read_record

OTHER_TASK = re.compile(r"top.?1|top.?5", re.IGNORECASE)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 images, their masks and the checkpoint."""
    return write_inputs(tmp_path_factory.mktemp("shapes"), 24)


@pytest.fixture(scope="module")
def delivered(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The whole run."""
    run = start(tmp_path_factory.mktemp("delivered") / "out", inputs, batch_sizes=(1, 4))
    assert run.everything() is ExitCode.OK
    return run


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """Six images that a test may damage."""
    return write_inputs(tmp_path / "few", 6)


def test_every_stage_serves_the_task(delivered: Run) -> None:
    record = read_record(delivered.job.folder)
    assert [verdict.state for verdict in record.verdicts] == [State.PASS] * 5
    assert record.model is not None and record.model.outputs[0].shape == ("N", 4, 32, 32)
    assert record.plugins[1].role == "task" and record.plugins[1].plugin == "segmentation"
    assert [one.batch for one in record.performance] == [1, 4]
    assert record.parity[0].answer_name == "mask" and record.parity[0].changes.images == 6
    artefact = record.evaluations[1]
    assert [metric.name for metric in artefact.metrics] == ["mean_iou", "pixel_accuracy"]
    assert artefact.agreement is not None and artefact.agreement.value == 100.0
    assert [(one.against, one.metric, one.passed) for one in record.comparisons] == [
        ("reference", "mean_iou", True),
        ("published", "mean_iou", True),
    ]
    files = {path.name for path in delivered.job.folder.rglob("*") if path.is_file()}
    assert files == {
        *(set(DOCUMENTS) - {"README.en.md"}),
        "run.json",
        "predictions.csv",
        "shapes.onnx",
        "reference-outputs.jsonl",
    }


def test_the_figures_are_those_of_sets_of_pixels(delivered: Run, inputs: Path) -> None:
    masks = predicted(delivered)
    spec = delivered.job.spec.image
    truths = [aligned(read_mask(inputs / "masks" / name), spec) for name in masks]
    by_class = iou_by_sets(truths, list(masks.values()))
    reference = delivered.record.evaluations[0]
    assert [row[1] for row in reference.tables[0].rows] == pytest.approx(by_class)
    assert reference.metric("mean_iou").value == pytest.approx(sum(by_class) / 4)
    right = [float((truth == mask).mean()) for truth, mask in zip(truths, masks.values(), strict=True)]
    assert reference.metric("pixel_accuracy").value == pytest.approx(100 * sum(right) / 24)


def test_the_interval_is_a_seeded_bootstrap(delivered: Run) -> None:
    for evaluation in delivered.record.evaluations:
        for metric in evaluation.metrics:
            assert metric.count == 24 and metric.interval is not None
            assert metric.interval.low < metric.value < metric.interval.high
            assert metric.interval.high - metric.interval.low < 10
            assert "bootstrap over images, 1000 resamples, seed 0 (Efron" in metric.interval.method
    reference, artefact = delivered.record.evaluations
    assert reference.metrics == artefact.metrics


def test_the_documents_speak_of_this_task_alone(delivered: Run) -> None:
    out = delivered.job.folder
    readme = (out / "README.md").read_text()
    metric = delivered.record.evaluations[1].metric("mean_iou")
    assert metric.interval is not None
    stated = f"{metric.value:.2f} [{metric.interval.low:.2f}, {metric.interval.high:.2f}]"
    assert f"| onnxruntime fp32 | {stated} |" in readme
    assert "Mean IoU (%)" in readme and "percentile bootstrap over images" in readme
    assert "### IoU by class\n" in readme and "semantic\\_segmentation" in readme
    assert "| 24 |" in readme, "the masks are an input with a digest"
    for path in out.rglob("*"):
        if path.is_file() and path.suffix != ".onnx":
            assert not OTHER_TASK.search(path.read_text()), path
            assert "result.json" not in path.read_text(), path


def test_every_number_of_the_readme_is_in_the_record(delivered: Run) -> None:
    out = delivered.job.folder
    record = json.loads((out / "run.json").read_text())
    tables = "\n".join(line for line in (out / "README.md").read_text().splitlines() if line.startswith("|"))
    assert tables.count("|") > 200
    assert unfounded(tables, record) == []


def test_predictions_have_the_columns_of_the_task(delivered: Run) -> None:
    found = rows(delivered.job.folder, "onnxruntime-fp32")
    assert len(found) == 24
    for row in found:
        assert row["image"] == row["label"] and row["status"] == "ok" and 0.3 < float(row["score"]) <= 1
        assert set(row["classes"].split()) <= set("0123")
        assert sum(map(int, row["pixels"].split())) == 32 * 32 and len(row["mask_sha256"]) == 64


def test_stages_on_files_give_what_streaming_gives(delivered: Run, inputs: Path, tmp_path: Path) -> None:
    out = tmp_path / "apart"
    for stage in ("export", "verify", "preprocess", "infer", "evaluate", "bench", "deliver"):
        getattr(start(out, inputs, fresh=stage == "export"), stage)()
    _same(read_record(out).evaluations, delivered, "outputs")
    assert rows(out, "onnxruntime-fp32") == rows(delivered.job.folder, "onnxruntime-fp32")
    shutil.rmtree(out / "outputs")
    start(out, inputs, fresh=False).evaluate()
    _same(read_record(out).evaluations, delivered, "tensors")


def _same(evaluations: Sequence[Evaluation], delivered: Run, source: str) -> None:
    for evaluation, streamed in zip(evaluations, delivered.record.evaluations, strict=True):
        assert evaluation.end_to_end.source == source and streamed.end_to_end.source == "images"
        assert (evaluation.metrics, evaluation.tables) == (streamed.metrics, streamed.tables)
        assert evaluation.agreement == streamed.agreement


def test_unreadable_images_are_empty_masks_in_every_denominator(few: Path, tmp_path: Path) -> None:
    broken = ("shapes 001.png", "shapes 004.png")
    half = few / "images" / broken[0]
    half.write_bytes(half.read_bytes()[: half.stat().st_size // 2])
    (few / "images" / broken[1]).write_text("<html>404</html>")
    run = start(tmp_path / "out", few)
    run.everything()
    reference = run.record.evaluations[0]
    assert (reference.listed, reference.scored, reference.unreadable) == (6, 4, 2)
    assert tuple(failure.id for failure in reference.failures) == broken
    masks = predicted(run)
    names = [item.id for item in run.job.data.items]
    truths = [aligned(read_mask(few / "masks" / name), run.job.spec.image) for name in names]
    by_class = iou_by_sets(truths, [masks.get(name) for name in names])
    assert reference.metric("mean_iou").value == pytest.approx(sum(by_class) / 4)
    right = [float((truth == masks[name]).mean()) for truth, name in zip(truths, names, strict=True) if name in masks]
    assert reference.metric("pixel_accuracy").value == pytest.approx(100 * sum(right) / 6)
    lost = [row for row in rows(tmp_path / "out", "reference") if row["image"] in broken]
    assert [(row["status"], row["score"], row["classes"]) for row in lost] == [("unreadable", "0", "")] * 2


def test_spoilt_weights_fail_the_gate(inputs: Path, tmp_path: Path) -> None:
    spoilt = weights()
    spoilt["1.weight"], spoilt["1.bias"] = spoilt["1.weight"][[0, 2, 1, 3]], spoilt["1.bias"][[0, 2, 1, 3]]
    torch.save(spoilt, tmp_path / "spoilt.pth")
    run = start(tmp_path / "out", inputs, checkpoint=str(tmp_path / "spoilt.pth"))
    assert run.everything() is ExitCode.VERDICT_FAILED == 1
    states = {verdict.name: verdict.state for verdict in run.record.verdicts}
    assert states == dict.fromkeys(("weights", "parity", "preprocessing", "data"), State.PASS) | {
        "accuracy": State.FAIL
    }
    against = run.record.comparisons[1]
    assert (against.against, against.passed) == ("published", False) and against.drop is not None and against.drop > 40
    assert "**FAIL: Accuracy fails: " in (tmp_path / "out/README.md").read_text()


def test_an_artefact_with_other_masks_shows(inputs: Path, tmp_path: Path) -> None:
    both = (("segmentation", plugin), ("coarse", coarse))
    run = start(tmp_path / "out", inputs, *both, runtimes=("onnxruntime", "coarse"), atol=coarse.STEP)
    assert run.everything() is ExitCode.VERDICT_FAILED
    exact, rounded = run.record.evaluations[1:]
    assert exact.agreement is not None and rounded.agreement is not None
    assert exact.agreement.value == 100.0 and rounded.agreement.value < 100.0
    assert run.record.parity[0].changes.flipped == 0 and run.record.parity[1].changes.flipped > 0
    pairs = zip(rows(tmp_path / "out", "reference"), rows(tmp_path / "out", "coarse-fp32"), strict=True)
    same = sum(a["mask_sha256"] == b["mask_sha256"] for a, b in pairs)
    assert rounded.agreement.hits == same
    assert f"Same mask as the reference: {same} of 24 images" in (tmp_path / "out/README.md").read_text()
    failed = [one for one in run.record.comparisons if one.passed is False]
    assert failed and {one.evaluation for one in failed} == {"coarse-fp32"}


def _remove(path: Path) -> None:
    path.unlink()


def _shrink(path: Path) -> None:
    Image.open(path).resize((20, 20)).save(path)


def _out_of_range(path: Path) -> None:
    mask = np.array(Image.open(path))
    mask[5, 7] = 4
    Image.fromarray(mask).save(path)


def _colour(path: Path) -> None:
    Image.open(path).convert("RGB").save(path)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:60])


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_remove, "no such mask, for the image shapes 003.png"),
        (_shrink, "20×20 pixels, its image shapes 003.png has 36×44"),
        (_out_of_range, "value 4 at row 5, column 7; the model has classes 0 to 3"),
        (_colour, "mode RGB; a mask has one channel"),
        (_cut, "not a whole PNG mask"),
    ],
)
def test_a_bad_mask_is_named_before_anything_runs(
    few: Path, tmp_path: Path, damage: Callable[[Path], None], reason: str
) -> None:
    path = few / "masks/shapes 003.png"
    damage(path)
    with pytest.raises(BadInput, match=f"^{re.escape(str(path))}: .*{re.escape(reason)}"):
        start(tmp_path / "out", few).everything()
    assert not (tmp_path / "out/run.json").exists()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"labels": None}, "Use --labels DIR"),
        ({"labels": "shapes.pth"}, r"shapes\.pth: a file; semantic segmentation takes a folder of masks"),
        ({"labels": "nowhere"}, "--labels .*nowhere: no such"),
        ({"label_offset": 1}, "--label-offset: a mask holds class indices already"),
    ],
)
def test_labels_that_are_no_folder_of_masks(few: Path, tmp_path: Path, options: dict[str, Any], reason: str) -> None:
    if options.get("labels"):
        options = {"labels": str(few / options["labels"])}
    with pytest.raises(BadInput, match=reason):
        start(tmp_path / "out", few, **options).everything()


def test_ignored_pixels_count_nowhere(few: Path, tmp_path: Path) -> None:
    for path in (few / "masks").iterdir():
        mask = np.array(Image.open(path))
        mask[mask == 0] = IGNORE
        Image.fromarray(mask).save(path)
    run = start(tmp_path / "out", few)
    run.export(), run.evaluate()
    background = run.record.evaluations[0].tables[0].rows[0]
    assert background[1:3] == (0.0, 0), "no pixel is labelled background any more, some are still predicted so"


@pytest.mark.parametrize("size", [(48, 64), (64, 48), (50, 50), (37, 41), (36, 90)])
def test_the_mask_stays_under_its_image(size: tuple[int, int]) -> None:
    generator = np.random.default_rng(1)
    mask = generator.integers(0, 4, size, dtype=np.uint8)
    spec = replace(plugin.SPEC.image, interpolation="nearest", divisor=1.0, mean=(0.0,) * 3, std=(1.0,) * 3)
    image = reference_pipeline(np.repeat(mask[..., None], 3, axis=2), spec)
    assert np.array_equal(aligned(mask, plugin.SPEC.image), image[1])
    scale = 36 / min(size)
    whole = Image.fromarray(mask).resize((int(size[1] * scale), int(size[0] * scale)), Image.Resampling.NEAREST)
    top, left = round((whole.height - 32) / 2), round((whole.width - 32) / 2)
    assert np.array_equal(aligned(mask, plugin.SPEC.image), np.array(whole)[top : top + 32, left : left + 32])


def test_what_the_crop_adds_is_ignored() -> None:
    mask = np.full((20, 20), 3, dtype=np.uint8)
    found = aligned(mask, PreprocessSpec(resize=20, crop=(32, 32)))
    assert (found[6:26, 6:26] == 3).all() and (found == IGNORE).sum() == 32 * 32 - 20 * 20


def test_changed_masks_are_a_changed_input(few: Path, tmp_path: Path) -> None:
    run = start(tmp_path / "out", few)
    run.everything()
    before = run.record
    path = few / "masks/shapes 002.png"
    Image.fromarray(np.zeros_like(np.array(Image.open(path)))).save(path)
    start(tmp_path / "out", few, fresh=False).evaluate()
    after = read_record(tmp_path / "out")
    (old,) = (one for one in before.inputs if one.role == "labels")
    (new,) = (one for one in after.inputs if one.role == "labels")
    assert (old.files, new.files) == (6, 6) and old.sha256 != new.sha256
    assert new.sha256 == folder_digest(few / "masks").sha256
    assert after.evaluations[0].metric("mean_iou").value < before.evaluations[0].metric("mean_iou").value
    assert after.export == before.export and after.parity == ()


def test_only_a_new_export_takes_a_changed_checkpoint(few: Path, tmp_path: Path) -> None:
    start(tmp_path / "out", few).export()
    torch.save({"state_dict": weights(), "epoch": 2}, few / "shapes.pth")
    start(tmp_path / "out", few, fresh=False, limit=3).preprocess()
    with pytest.raises(BadInput, match=r"shapes\.pth: changed during this run"):
        start(tmp_path / "out", few, fresh=False).evaluate()


def test_each_interval_is_told_with_its_own_method(delivered: Run) -> None:
    reference = delivered.record.evaluations[0]
    iou, pixels = reference.metrics
    other = replace(pixels, interval=wilson(9, 10))
    record = replace(delivered.record, evaluations=(replace(reference, metrics=(iou, other)),))
    told = [line for line in render("README.md.j2", record).splitlines() if line.startswith("In brackets: 95%")]
    assert len(told) == 2 and told[0].startswith(
        "In brackets: 95% confidence interval of Mean IoU, percentile bootstrap"
    )
    assert told[1] == "In brackets: 95% confidence interval of Pixel accuracy, Wilson score (1927)."


def test_reproduce_checks_the_folder_of_masks(few: Path, tmp_path: Path) -> None:
    (few / "masks/ à\n'b").mkdir()
    (few / "masks/ à\n'b/more").write_bytes(b"")
    start(tmp_path / "out", few).everything()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "CHECKPOINT": str(few / "shapes.pth"), "DATA": str(few / "images")}
    environment["LABELS"] = str(few / "masks")

    def reproduce() -> subprocess.CompletedProcess[str]:
        command = [str(tmp_path / "out/reproduce.sh"), str(tmp_path / "again")]
        return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)

    unchanged = reproduce()
    assert "inputs: those of the record\n" in unchanged.stdout
    assert "unknown model 'shapes'" in unchanged.stderr, "it went on to the run"
    (few / "masks/shapes 000.png").rename(few / "masks/other.png")
    changed = reproduce()
    assert changed.returncode == 2
    assert changed.stderr == f"porter: error: {few / 'masks'}: not the labels of the original run\n"

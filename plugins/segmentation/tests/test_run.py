"""The sample from its files to the documents: figures, int8, resume, and ports and labels that are wrong."""

from __future__ import annotations

import base64
import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lying import Lie, Lying, Outputs
from PIL import Image
from segmentation_inputs import start

from porter import (
    BadInput,
    ExitCode,
    Run,
    Runtime,
    State,
    hookimpl,
    read_record,
    testing,
)
from porter_segmentation import plugin, shapes
from porter_segmentation.network import ShapesNet
from porter_segmentation.shapes import CLASSES, SAMPLE, SIZE

IMAGES = sorted((SAMPLE / "images").iterdir())


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The whole sample, fp32 and int8."""
    run = start(tmp_path_factory.mktemp("delivered") / "out", precisions=("fp32", "int8"), max_drop=3.0)
    assert run.everything() is ExitCode.OK
    return run


def rows(out: Path, evaluation: str = "reference") -> list[dict[str, str]]:
    with (out / "predictions.csv").open(encoding="utf-8", newline="") as stream:
        return [row for row in csv.DictReader(stream) if row["evaluation"] == evaluation]


def by_pytorch(path: Path) -> np.ndarray:
    """The classes of one image, without porter: letterbox by Pillow, the network, `grid_sample` to the image."""
    image = Image.open(path).convert("RGB")
    scale = min(SIZE / image.width, SIZE / image.height)
    width, height = round(image.width * scale), round(image.height * scale)
    left, top = (SIZE - width) // 2, (SIZE - height) // 2
    canvas = Image.new("RGB", (SIZE, SIZE), (124, 116, 104))
    canvas.paste(image.resize((width, height), Image.Resampling.BILINEAR), (left, top))
    pixels = (np.asarray(canvas, np.float32) / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    network = ShapesNet(len(CLASSES)).eval()
    network.load_state_dict(torch.load(SAMPLE / "checkpoint.pth", weights_only=True)["state_dict"])
    x = ((np.arange(image.width) + 0.5) * width / image.width + left) / SIZE
    y = ((np.arange(image.height) + 0.5) * height / image.height + top) / SIZE
    grid = torch.from_numpy(np.stack(np.meshgrid(2 * x - 1, 2 * y - 1), axis=-1)[None]).float()
    with torch.inference_mode():
        logits = network(torch.from_numpy(pixels.astype(np.float32).transpose(2, 0, 1))[None])
        whole = torch.nn.functional.grid_sample(logits, grid, padding_mode="border", align_corners=False)
    return whole[0].argmax(0).numpy()


def test_the_figures_are_those_of_pytorch_and_a_confusion_matrix(delivered: Run) -> None:
    record = delivered.record
    assert {verdict.state for verdict in record.verdicts} == {State.PASS}
    reference = record.evaluation("reference")
    scored = {row["image"] for row in rows(delivered.job.folder)}
    matrix = np.zeros((5, 5))
    for path in IMAGES:
        if path.name in scored:
            truth, found = np.asarray(Image.open(SAMPLE / f"masks/{path.stem}.png")), by_pytorch(path)
            counted = truth != 255
            np.add.at(matrix, (truth[counted], found[counted]), 1)
    right = matrix.diagonal()
    iou = right / (matrix.sum(0) + matrix.sum(1) - right)
    assert reference.metric("miou").value == pytest.approx(100 * iou.mean(), abs=0.02)
    assert reference.metric("pixel_accuracy").value == pytest.approx(100 * right.sum() / matrix.sum(), abs=0.02)
    assert reference.metric("mean_class_accuracy").value == pytest.approx(
        100 * (right / matrix.sum(1)).mean(), abs=0.02
    )
    worst = reference.tables[0].rows[0]
    assert worst[0] == f"{iou.argmin()} {CLASSES[iou.argmin()]}"
    assert worst[1] == pytest.approx(100 * iou.min(), abs=0.02)


def test_the_gate_has_an_interval_and_so_has_its_drop(delivered: Run) -> None:
    for evaluation in delivered.record.evaluations:
        interval = evaluation.metric("miou").interval
        assert interval is not None and interval.low < evaluation.metric("miou").value < interval.high
    int8 = next(one for one in delivered.record.evaluations if one.name.endswith("int8"))
    assert int8.changes is not None and int8.changes.resampled is not None


def test_documents_show_the_classes_and_speak_of_this_task_alone(delivered: Run) -> None:
    out = delivered.job.folder
    for name, heading in (
        ("README.md", "Classes by IoU, the lowest first"),
        ("README.zh.md", "各类别 IoU（从低到高）"),
    ):
        text = (out / name).read_text(encoding="utf-8")
        assert heading in text and all(f"{k} {name}" in text for k, name in enumerate(CLASSES))
        assert not re.search(r"top.?[15]\b", text, re.IGNORECASE)
    assert "shapes-segmentation" in (out / "report.html").read_text(encoding="utf-8")


def test_stages_on_files_give_what_the_run_gives(delivered: Run, tmp_path: Path) -> None:
    options = {"max_drop": 3.0, "limit": 12}
    whole = start(tmp_path / "whole", **options)
    whole.everything()
    for stage in ("export", "verify", "preprocess", "infer", "evaluate"):
        getattr(start(tmp_path / "apart", fresh=stage == "export", **options), stage)()
    apart = read_record(tmp_path / "apart")
    assert apart.evaluations[0].end_to_end is not None and apart.evaluations[0].end_to_end.source == "outputs"
    assert [one.metrics for one in apart.evaluations] == [one.metrics for one in whole.record.evaluations]
    assert rows(tmp_path / "apart") == rows(tmp_path / "whole")


def test_answers_are_kept_and_not_made_again(tmp_path: Path) -> None:
    options = {"limit": 12}
    first = start(tmp_path / "out", **options)
    first.export()
    first.evaluate()
    again = start(tmp_path / "out", fresh=False, **options)
    again.evaluate()
    for one, other in zip(again.record.evaluations, first.record.evaluations, strict=True):
        assert one.end_to_end is not None and one.end_to_end.resumed == 12
        assert (one.metrics, one.tables, one.agreement) == (other.metrics, other.tables, other.agreement)


class Shifted(Lie):
    """A device whose logits favour the first class."""

    def told(self, honest: Any, batch: np.ndarray, number: int) -> Outputs:
        outputs = honest(batch)
        outputs["logits"][:, 0] += 2.0
        return outputs


class Device:
    """The plugin of that device."""

    @hookimpl
    def porter_runtimes(self) -> Sequence[Runtime]:
        return [Lying(Shifted)]


def test_a_wrong_port_fails_and_its_masks_are_shown(tmp_path: Path) -> None:
    run = start(tmp_path / "out", Device(), runtimes=("lying",), limit=16, atol=2.5)
    assert run.everything() is ExitCode.VERDICT_FAILED
    states = {verdict.name: verdict.state for verdict in run.record.verdicts}
    assert states["accuracy"] is State.FAIL, "its outputs are allowed to be that far off"
    changes = run.record.evaluations[1].changes
    assert changes is not None and changes.flipped >= 8
    flip = changes.flips[0]
    assert flip.drawn and "0: " in flip.candidate and flip.reference != flip.candidate
    picture = Image.open(io.BytesIO(base64.b64decode(flip.thumbnail)))
    original = Image.open(SAMPLE / "images" / flip.id)
    assert max(picture.size) > max(original.size), "two of them, beside or below each other"
    assert flip.thumbnail in (tmp_path / "out/report.html").read_text(encoding="utf-8")


def test_masks_that_count_from_one_fail_with_what_to_do(tmp_path: Path) -> None:
    """Classes 1 to 4 of the sample become 0 to 3, as if they had been made for a model without a background."""
    for path in (SAMPLE / "masks").iterdir():
        values = np.asarray(Image.open(path))
        shifted = np.where((values == 255) | (values == 4), 255, values + 1).astype(np.uint8)
        (tmp_path / "masks").mkdir(exist_ok=True)
        Image.fromarray(shifted).save(tmp_path / "masks" / path.name)
    options = {"config": None, "data": SAMPLE / "images", "checkpoint": SAMPLE / "checkpoint.pth"}
    run = start(tmp_path / "out", labels=tmp_path / "masks", **options)
    assert run.everything() is ExitCode.VERDICT_FAILED
    (finding,) = run.record.label_suspects
    assert finding.name == "shift"
    text = (tmp_path / "out/README.md").read_text()
    assert "the ids of the masks are +1 off the model's classes" in text and "--label-offset 1" in text


def test_a_map_by_its_name_is_an_input_with_its_hash(tmp_path: Path) -> None:
    options = {"data": SAMPLE / "images", "checkpoint": SAMPLE / "checkpoint.pth", "labels": SAMPLE / "masks"}
    run = start(tmp_path / "out", class_map="voc", limit=6, **options)
    with pytest.raises(BadInput, match=r"voc\.csv, line \d+: '5' is no class \(0 to 4"):
        run.export(), run.evaluate()
    with pytest.raises(BadInput, match="--class-map vok: no such file; the task knows ade20k, cityscapes, voc"):
        start(tmp_path / "other", class_map="vok", **options).everything()


@pytest.mark.parametrize(("examined", "model"), [(plugin, ""), (shapes, "shapes-segmentation")])
def test_conformance(examined: object, model: str, tmp_path: Path) -> None:
    testing.check_conformance(
        examined,
        model,
        images=testing.ImageSet(data=SAMPLE / "images", labels=SAMPLE / "masks"),
        folder=tmp_path / "out",
        registry=testing.registry_of(plugin, shapes),
        checkpoint=str(SAMPLE / "checkpoint.pth"),
    )

"""Pose: figures against pycocotools on the files themselves, decoding, flip test, MPII, and what labels say wrongly."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from corpus.case import Ended
from corpus.case import porter as command_line
from porter_pose.dots import SAMPLE, SPEC
from porter_pose.heatmaps import poses_of, with_flip
from porter_pose.mpii_files import Mpii
from porter_pose.oks import COCO_SIGMAS, similarity, without_copies
from porter_pose.pckh import PckhScorer
from porter_pose.person import Annotation, Posed
from porter_pose.task import Pose

from porter import Item, Metric, ModelSpec, PreprocessSpec, Source, State, TensorSpec, read_record

HALF = "--batch-sizes 2 --bench-seconds 0"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(SAMPLE, tmp_path / "sample")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capfd: pytest.CaptureFixture[str], labels: str = "sample/person_keypoints.json", more: str = "") -> Ended:
    words = f"run dots-pose --checkpoint sample/checkpoint.pth --data sample/images --labels {labels} --out out {HALF}"
    return command_line(f"{words} {more}", capfd.readouterr)


def figures(place: Path, name: str = "reference") -> dict[str, float]:
    record = read_record(place / "out")
    evaluation = record.evaluation(name)
    assert evaluation is not None
    return {one.name: one.value for one in evaluation.metrics}


def by_pycocotools(place: Path, labels: Path, score: float | None = None) -> Any:
    """The ten figures of COCOeval on the labels' own file, from the joints of predictions.csv."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    known = json.loads(labels.read_text())
    numbers = {one["file_name"]: one["id"] for one in known["images"]}
    found = []
    with (place / "out" / "predictions.csv").open(newline="") as stream:
        for row in csv.DictReader(stream):
            if row["evaluation"] != "reference":
                continue
            joints = [tuple(map(float, one[1:-1].split(","))) for one in row["joints"].split()]
            scores = [float(one) for one in row["scores"].split()]
            seen = [one for one in scores if one > 0.2]
            flat = [value for (x, y), one in zip(joints, scores, strict=True) for value in (x, y, one)]
            image = numbers[row["image"].removeprefix("./").partition("#")[0]]
            person = sum(seen) / len(seen) if seen else 0.0
            found.append({"image_id": image, "category_id": 1, "keypoints": flat, "score": person * (score or 1.0)})
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(labels))
        for one in truth.anns.values():
            one.setdefault("num_keypoints", 0)
        evaluation = COCOeval(truth, truth.loadRes(found), "keypoints")
        evaluation.params.kpt_oks_sigmas = np.full(5, 0.05)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats


def test_the_sample_is_delivered_and_its_figures_are_pycocotools_own(
    place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    ended = run(capfd, more="--runtime onnxruntime --runtime openvino")
    assert ended.code == 0, ended.err
    stats = by_pycocotools(place, place / "sample" / "person_keypoints.json")
    found = figures(place)
    for name, at in (("ap", 0), ("ap50", 1), ("ap75", 2), ("ap_large", 4), ("ar", 5)):
        assert found[name] == pytest.approx(100 * stats[at], abs=1e-9)
    record = read_record(place / "out")
    assert {one.name: one.state for one in record.verdicts}["parity"] is State.PASS
    gate = record.evaluations[0].metric("ap")
    assert gate.interval is not None and gate.interval.low < gate.value < gate.interval.high


def test_weights_of_one_each_give_the_figure_itself(place: Path) -> None:
    from porter import DataRequest

    task = Pose()
    request = DataRequest(root="sample/images", spec=SPEC, labels=Path("sample/person_keypoints.json"))
    manifest = task.manifest(request)
    scorer = task.scorer(SPEC, manifest)
    random = np.random.default_rng(0)
    for item in manifest.items:
        left, top, width, height = item.box or (0, 0, 1, 1)
        joints = tuple((float(left + width * x), float(top + height * y)) for x, y in random.random((5, 2)))
        scorer.add(item, Posed(joints, tuple(map(float, random.random(5)))))
    [gate] = [one for one in scorer.metrics() if one.name == "ap"]
    assert scorer.resampled(np.ones(len(manifest.items), np.int64)) == pytest.approx(gate.value, abs=1e-9)


def test_boxes_of_a_detector_leave_nobody_out_who_was_missed(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Of the boxes of half of the people, doubled: copies fall out, and the others are missed."""
    whole = json.loads((place / "sample" / "person_keypoints.json").read_text())
    labels = place / "labels"
    labels.mkdir()
    (labels / "keypoints.json").write_text(json.dumps(whole))
    boxes = [
        {"image_id": one["image_id"], "category_id": 1, "bbox": [left, *one["bbox"][1:]], "score": score}
        for one in whole["annotations"][::2]
        for left, score in ((one["bbox"][0], 0.9), (one["bbox"][0] + 1, 0.8))
    ]
    (labels / "found.json").write_text(json.dumps(boxes))
    assert run(capfd, "labels").code == 0
    found = figures(place)
    assert 35 < found["ar"] < 55
    names = [row.id for row in read_record(place / "out").evaluations[0].failures]
    assert names == []


def test_a_model_that_finds_the_wrong_hand_fails(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Left and right changed places in the checkpoint: the port is sound, the figure is not."""
    import torch

    assert run(capfd).code == 0
    good = figures(place)["ap"]
    state = torch.load(place / "sample" / "checkpoint.pth")["state_dict"]
    for name in ("0.weight", "0.bias"):
        state[name][[1, 2]] = state[name][[2, 1]]
    torch.save({"state_dict": state}, place / "sample" / "checkpoint.pth")
    run(capfd, more="--fresh")
    assert figures(place)["ap"] < good / 2


def test_heatmaps_are_decoded_as_the_authors_do() -> None:
    """A peak at (x 10, y 20) of a map a quarter as large, its right and upper neighbours larger: 10.25 and 19.75, which
    is four times that in the input, and through the inverse of the box's transform in the image."""
    maps = np.zeros((1, 1, 32, 24), np.float32)
    maps[0, 0, 20, 10], maps[0, 0, 20, 11], maps[0, 0, 19, 10] = 1.0, 0.5, 0.4
    spec = ModelSpec(
        name="one",
        task="pose",
        inputs=(TensorSpec(name="image", shape=("N", 3, 128, 96)),),
        outputs=(TensorSpec(name="heatmaps", shape=("N", 1, 32, 24)),),
        preprocess=PreprocessSpec(fit="box", crop=(128, 96), box_scale=1.0),
    )
    item = Item("a.jpg#1", "", path="a.jpg", box=(100.0, 50.0, 192.0, 256.0))
    [posed] = poses_of(maps, spec, [Source(item=item, size=(480, 640))])
    # The box is twice as large as the input, and its corner is the input's.
    assert posed.joints[0] == pytest.approx((100 + 2 * 4 * 10.25, 50 + 2 * 4 * 19.75), abs=1e-3)
    assert posed.scores == (1.0,)


def test_the_flip_test_averages_and_exchanges_sides() -> None:
    """A session that answers with its input: the mean with its mirror image, of which left and right changed places."""

    class Echo:
        def run(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            return {"heatmaps": feeds["image"].copy()}

    facts = {"flip test": "on", "flip pairs": "1-2"}
    spec = ModelSpec(
        name="echo",
        task="pose",
        inputs=(TensorSpec(name="image", shape=("N", 3, 4, 4)),),
        outputs=(TensorSpec(name="heatmaps", shape=("N", 3, 4, 4)),),
        facts=facts,
    )
    image = np.arange(48, dtype=np.float32).reshape(1, 3, 4, 4)
    found = with_flip(Echo(), {"image": image}, spec)["heatmaps"]  # type: ignore[arg-type]
    turned = image[:, [0, 2, 1]].copy()
    turned[..., 1:] = turned[..., :-1].copy()
    assert np.array_equal(found, (image + turned) / 2)


def test_similarity_by_hand_and_copies() -> None:
    """One joint off by the root of the area times twice its sigma: exp(-1/2); the other exact."""
    sigmas = np.array([0.1, 0.1])
    wanted = Annotation(image=1, joints=(0.0, 0.0, 2, 10.0, 0.0, 1), box=(0, 0, 10, 10), area=100.0)
    found = Posed(((2.0, 0.0), (10.0, 0.0)), (1.0, 1.0))
    assert similarity(found, wanted, sigmas) == pytest.approx((np.exp(-0.5) + 1) / 2, abs=1e-6)
    near = Posed(((2.1, 0.0), (10.0, 0.0)), (1.0, 1.0))
    far = Posed(((9.0, 9.0), (1.0, 9.0)), (1.0, 1.0))
    kept = without_copies([(near, 0.5, 100.0), (found, 0.9, 100.0), (far, 0.1, 100.0)], sigmas)
    assert kept == [(found, 0.9), (far, 0.1)]
    assert len(COCO_SIGMAS) == 17


def test_pckh_by_hand() -> None:
    """Two people, heads of 10 and 20: of five joints that are seen, three lie within half of the head."""
    scorer = PckhScorer(3, ())
    label = Mpii(joints=((11.0, 11.0), (21.0, 21.0), (31.0, 31.0)), seen=(True, True, False), head=10.0)
    other = Mpii(joints=label.joints, seen=(True, True, True), head=20.0)
    near, far = ((14.0, 10.0), (20.0, 26.0), (0.0, 0.0)), ((10.0, 19.0), (20.0, 31.5), (90.0, 90.0))
    assert scorer.add(Item("a", _text(label)), Posed(near, (1.0,) * 3)) == 0.5
    assert scorer.add(Item("b", _text(other)), Posed(far, (1.0,) * 3)) == pytest.approx(1 / 3)
    values = {one.name: one for one in scorer.metrics()}
    assert isinstance(values["pckh"], Metric)
    assert values["pckh"].value == pytest.approx(100 * 2 / 5)
    assert scorer.resampled(np.array([2, 0])) == pytest.approx(50.0)
    assert scorer.add(Item("c", _text(label)), None) == 0.0


def _text(label: Mpii) -> str:
    import msgspec

    return msgspec.json.encode(label).decode()


def test_mpiis_own_files(place: Path) -> None:
    from porter_pose.task import PoseMpii

    from porter import DataRequest

    scipy = pytest.importorskip("scipy.io")
    annot = place / "annot"
    annot.mkdir()
    people = [{"image": "figures_001.jpg", "center": [101.0, 81.0], "scale": 0.5}]
    (annot / "valid.json").write_text(json.dumps(people))
    scipy.savemat(
        annot / "gt_valid.mat",
        {
            "pos_gt_src": np.ones((5, 2, 1)),
            "jnt_missing": np.array([[0], [0], [1], [0], [0]]),
            "headboxes_src": np.array([[[0.0], [0.0]], [[30.0], [40.0]]]),
        },
    )
    request = DataRequest(root="sample/images", spec=SPEC, labels=annot)
    [item] = PoseMpii().manifest(request).items
    # 100 pixels around (100, 80 + 7.5).
    assert item.box == (50.0, 37.5, 100.0, 100.0)
    import msgspec

    label = msgspec.json.decode(str(item.label), type=Mpii)
    assert label.head == pytest.approx(30.0)
    assert label.seen == (True, True, False, True, True)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + b"\x89HDF\r\n\x1a\n", "7.3.*save it again with `-v7`"),
        (b"no matrices", "not MPII's ground truth"),
        (b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + b"\x0f\0\0\0\x40\0\0\0damaged", "not MPII's ground truth"),
    ],
)
def test_a_ground_truth_that_cannot_be_read_is_named(content: bytes, says: str, place: Path) -> None:
    from porter_pose.task import PoseMpii

    from porter import BadInput, DataRequest

    pytest.importorskip("scipy.io")
    people = [{"image": "figures_001.jpg", "center": [101.0, 81.0], "scale": 0.5}]
    (place / "valid.json").write_text(json.dumps(people))
    (place / "gt_valid.mat").write_bytes(content)
    with pytest.raises(BadInput, match=f"gt_valid.mat: .*{says}"):
        PoseMpii().manifest(DataRequest(root="sample/images", spec=SPEC, labels=place))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            lambda known: known["annotations"][3].update(image_id=999),
            r"annotations\[3\]: image_id 999 is that of no image",
        ),
        (
            lambda known: known["annotations"][0].update(keypoints=[1, 2, 2]),
            "3 numbers in keypoints; the model has 5 joints",
        ),
        (lambda known: known["annotations"][0].update(bbox=[1, 2]), "bbox"),
        (lambda known: known.pop("images"), "images"),
        (lambda known: [one.update(file_name="x.jpg") for one in known["images"]], "none of its 32 images lies in"),
    ],
)
def test_what_labels_say_wrongly_is_named(
    change: Any, says: str, place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = place / "sample" / "person_keypoints.json"
    known = json.loads(path.read_text())
    change(known)
    path.write_text(json.dumps(known))
    ended = run(capfd)
    assert ended.code == 2
    assert "person_keypoints.json" in ended.error and re.search(says, ended.error)


def test_a_folder_of_labels_holds_one_file_of_each_kind(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    labels = place / "labels"
    labels.mkdir()
    assert "needs one file of annotations (.json), has none" in run(capfd, "labels").error
    for name in ("a.json", "b.json"):
        (labels / name).write_text("{}")
    assert "has a.json, b.json" in run(capfd, "labels").error


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"preprocess": PreprocessSpec(fit="letterbox", crop=(8, 8))}, "preprocess.fit"),
        ({"outputs": (TensorSpec(name="heatmaps", shape=("N", 5)),)}, "outputs"),
        ({"facts": {"flip test": "on"}}, "flip pairs"),
        ({"facts": {"flip test": "on", "flip pairs": "1-2-3"}}, "flip pairs"),
        (
            {
                "facts": {"flip test": "on", "flip pairs": "1-2"},
                "inputs": (TensorSpec(name="image", shape=("N", 96, 96, 3)),),
            },
            "flip test.*must be N×3×H×W",
        ),
        ({"facts": {"flip test": "on", "flip pairs": "1-5"}}, "no joint 5; there are 0 to 4"),
    ],
)
def test_a_spec_that_does_not_fit_the_task_is_told(fields: dict[str, Any], says: str) -> None:
    from dataclasses import replace

    assert re.search(says, Pose().misfit(replace(SPEC, **fields)))


def test_a_joint_that_hardly_moved_has_not_changed() -> None:
    task, one = Pose(), ((0.0, 0.0), (300.0, 0.0))
    assert task.is_same(one, ((2.5, 0.0), (300.0, 0.0)))
    assert not task.is_same(one, ((3.5, 0.0), (300.0, 0.0)))
    assert not task.is_same(one, None)

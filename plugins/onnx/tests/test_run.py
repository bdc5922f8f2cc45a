"""Whole runs on tiny ONNX files: what is delivered, scored and measured, and what is refused."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from porter import BadInput, ExitCode, ModelSpec, PreprocessSpec, Run, Session, State, TensorSpec, testing
from porter_onnx import plugin

WriteModel = Callable[..., Path]
WritePhotos = Callable[[Sequence[int]], tuple[Path, Path]]

FLOAT = "model: nets/tiny.onnx\npreprocess: {resize: 18, mean: 0.5, std: 0.5}\n"
BYTES = "model: nets/tiny.onnx\npreprocess: {resize: 18}\n"
TEN = (0, 1, 2, 2, 1, 0, 0, 1, 2, 1)


def start(folder: Path, text: str, photos: tuple[Path, Path], *, fresh: bool = True, **options: Any) -> Run:
    config = folder / "my.yaml"
    config.write_text(text)
    settings: dict[str, Any] = {"batch_sizes": (1, 4), "bench_seconds": 0.0, "threads": 1, **options}
    files = {"config": config, "data": photos[0], "labels": photos[1]}
    return testing.start_run(folder / "out", plugin, fresh=fresh, **files, **settings)


def answers(folder: Path, evaluation: str) -> list[str]:
    with (folder / "out/predictions.csv").open(encoding="utf-8", newline="") as stream:
        return [row["class1"] for row in csv.DictReader(stream) if row["evaluation"] == evaluation]


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        (FLOAT, {}),
        (FLOAT, {"opset": 11}),
        (FLOAT, {"input_name": "data:0", "output_name": "scores/out"}),
        (FLOAT, {"layout": "NHWC"}),
        (BYTES, {"dtype": TensorProto.UINT8}),
        (BYTES, {"dtype": TensorProto.UINT8, "layout": "NHWC"}),
        (FLOAT + "input: {size: 12}", {"side": "side"}),
        (FLOAT + "output: class", {"features": True}),
        (FLOAT + "labels: {background_class: true}", {"columns": 4, "first_column": 1}),
        (FLOAT + "labels: {background_class: true}", {"columns": 1001, "first_column": 1}),
    ],
)
def test_every_kind_of_file_is_scored_whole(
    tmp_path: Path, write_model: WriteModel, write_photos: WritePhotos, text: str, changes: dict[str, Any]
) -> None:
    model = write_model(**changes)
    run = start(tmp_path, text, write_photos(TEN))
    assert run.everything() is ExitCode.OK
    assert [verdict.state for verdict in run.record.verdicts] == [State.PASS] * 5
    assert [(e.listed, e.scored, e.metric("top1").hits) for e in run.record.evaluations] == [(10, 10, 10)] * 2
    assert answers(tmp_path, "onnxruntime-fp32") == list(map(str, TEN))
    assert [one.batch for one in run.record.performance] == [1, 4]
    delivered = tmp_path / "out/models/onnx_tiny.onnx"
    assert delivered.read_bytes() == model.read_bytes()


@pytest.mark.parametrize("changes", [{}, {"layout": "NHWC"}])
def test_a_static_batch_of_four_scores_ten_images_as_ten(
    tmp_path: Path, write_model: WriteModel, write_photos: WritePhotos, changes: dict[str, Any]
) -> None:
    write_model(batch=4, **changes)
    run = start(tmp_path, FLOAT, write_photos(TEN), batch_sizes=(1, 8))
    assert run.everything() is ExitCode.OK
    assert [(e.listed, e.scored, e.metric("top1").count) for e in run.record.evaluations] == [(10, 10, 10)] * 2
    assert answers(tmp_path, "onnxruntime-fp32-bs4") == list(map(str, TEN))
    assert [one.batch for one in run.record.performance] == [4]
    assert run.record.export is not None and any("batch fixed to 4" in str(check) for check in run.record.export.checks)
    readme = (tmp_path / "out/README.md").read_text()
    assert all(f"Speed of onnxruntime-fp32-bs4 at batch {size}." in readme for size in (1, 8))


def test_the_reference_runs_the_original_without_optimisations(
    tmp_path: Path, write_model: WriteModel, write_photos: WritePhotos
) -> None:
    model = write_model()
    run = start(tmp_path, FLOAT, write_photos(TEN), threads=1)
    run.export(), run.verify()
    assert run.job.reference.info.runtime == "unoptimised onnxruntime"
    assert run.job.reference.info.threads == 1
    assert run.record.parity[0].reference == "unoptimised onnxruntime fp32"
    checkpoint = next(entry for entry in run.record.inputs if entry.role == "checkpoint")
    assert (checkpoint.path, checkpoint.size_bytes) == (str(model), model.stat().st_size)
    assert run.record.load is not None
    assert (run.record.load.format, run.record.load.parameters) == ("onnx", 3 * 3 + 3)


def test_a_model_that_changed_since_its_export_is_refused(
    tmp_path: Path, write_model: WriteModel, write_photos: WritePhotos
) -> None:
    write_model()
    photos = write_photos(TEN)
    start(tmp_path, FLOAT, photos).export()
    write_model(opset=14)
    with pytest.raises(BadInput, match=r"tiny\.onnx: changed during this run\. Start"):
        start(tmp_path, FLOAT, photos, fresh=False).verify()


def test_published_figures_are_held_against_the_same_images_only(
    tmp_path: Path, write_model: WriteModel, write_photos: WritePhotos
) -> None:
    write_model()
    reference = "reference: {source: a paper, dataset: colours, images: 10, top1: 100, image_pattern: 'photo .*'}\n"
    run = start(tmp_path, FLOAT + reference, write_photos(TEN))
    assert run.everything() is ExitCode.OK
    assert [(one.against, one.passed) for one in run.record.comparisons] == [("reference", True), ("published", True)]


def test_another_file_by_checkpoint(tmp_path: Path, write_model: WriteModel, write_photos: WritePhotos) -> None:
    model = write_model()
    other = model.rename(tmp_path / "other.onnx")
    run = start(tmp_path, FLOAT, write_photos(TEN), checkpoint=str(other))
    assert run.export() is ExitCode.OK
    assert (tmp_path / "out/models/onnx_other.onnx").exists()
    without = start(tmp_path, FLOAT.split("\n", 1)[1], (tmp_path / "val", tmp_path / "labels.txt"))
    with pytest.raises(BadInput, match=r"my\.yaml: model: missing. Name the \.onnx file here, or use --checkpoint"):
        without.export()


def test_digests(tmp_path: Path, write_model: WriteModel, write_photos: WritePhotos) -> None:
    write_model()
    photos = write_photos(TEN)
    with pytest.raises(BadInput, match=r"tiny\.onnx: sha256 is"):
        start(tmp_path, FLOAT + "sha256: " + "0" * 64, photos).export()
    with pytest.raises(BadInput, match=r"tiny\.onnx: sha256 is"):
        start(tmp_path, FLOAT, photos, checkpoint_sha256="0" * 64).export()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"opset": 11}, r"--opset 11: .*tiny\.onnx has opset 13 and is delivered as it is. Omit --opset"),
        ({"weights": "ema"}, "--weights ema: an ONNX file has one set of weights"),
        ({"config": None}, r"model 'onnx' needs --config YAML"),
    ],
)
def test_options_that_cannot_be_met(
    tmp_path: Path, write_model: WriteModel, write_photos: WritePhotos, options: dict[str, Any], problem: str
) -> None:
    write_model()
    photos = write_photos(TEN)
    if "config" in options:
        run = testing.start_run(tmp_path / "out", plugin, data=photos[0], labels=photos[1])
    else:
        run = start(tmp_path, FLOAT, photos, **options)
    with pytest.raises(BadInput, match=problem):
        run.everything()


def test_the_opset_of_the_file_may_be_asked_for(
    tmp_path: Path, write_model: WriteModel, write_photos: WritePhotos
) -> None:
    write_model()
    assert start(tmp_path, FLOAT, write_photos(TEN), opset=13).export() is ExitCode.OK


def outside_weights(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../../etc/passwd")


def outside_constant(model: onnx.ModelProto) -> None:
    outside_weights(model)
    node = onnx.helper.make_node("Constant", [], ["weights"], value=model.graph.initializer[0])
    del model.graph.initializer[0]
    model.graph.node.insert(0, node)


def two_inputs(model: onnx.ModelProto) -> None:
    model.graph.input.add().CopyFrom(model.graph.input[0])
    model.graph.input[1].name = "mask"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (outside_weights, "1 weights are outside the file"),
        (outside_constant, "1 weights are outside the file"),
        (two_inputs, r"has 2 inputs \(image, mask\)"),
    ],
)
def test_files_that_cannot_be_delivered(
    tmp_path: Path,
    write_model: WriteModel,
    write_photos: WritePhotos,
    change: Callable[[onnx.ModelProto], None],
    problem: str,
) -> None:
    path = write_model()
    model = onnx.load(path)
    change(model)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(BadInput, match=rf"tiny\.onnx: {problem}"):
        start(tmp_path, FLOAT, write_photos([0])).export()


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        ("gone.onnx", "gone.onnx: no such file"),
        ("''", ": model: empty. Name the .onnx file, or leave the key out"),
        ("nets", "nets: a folder; the ONNX file must be a file"),
        ("my.yaml", "my.yaml: a text file (begins 'model: my.yaml"),
        ("empty.onnx", "empty.onnx: empty, not an ONNX file"),
        ("half.onnx", "half.onnx: is a damaged or truncated ONNX file"),
        (
            "/dev/zero",
            "'/dev/zero' leads out of the folder of the yaml; a .onnx file may lie elsewhere. Give any other with",
        ),
        (r'"a\0b.onnx"', "b.onnx' leads out of the folder"),
        ("/nowhere/net.onnx", "/nowhere/net.onnx: no such file"),
        ("a" * 300 + ".onnx", "cannot be read: File name too long"),
    ],
)
def test_paths_that_lead_to_no_model(
    tmp_path: Path, write_model: WriteModel, write_photos: WritePhotos, model: str, problem: str
) -> None:
    path = write_model()
    (tmp_path / "empty.onnx").touch()
    (tmp_path / "half.onnx").write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(BadInput) as caught:
        start(tmp_path, FLOAT.replace("nets/tiny.onnx", model), write_photos([0])).export()
    assert problem in str(caught.value) and "\n" not in str(caught.value)


class Recorder(Session):
    """Keeps what it is fed."""

    def __init__(self) -> None:
        self.fed = np.empty(0)

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        self.fed = feeds["image"]
        return {}


@pytest.mark.parametrize("sizes", [(4, 5), ("H", "W")])
def test_an_nhwc_input_gets_the_same_pixels_in_its_own_order(sizes: tuple[int | str, ...]) -> None:
    spec = ModelSpec(
        name="onnx",
        task="classification",
        inputs=(TensorSpec(name="image", shape=("N", *sizes, 3)),),
        outputs=(),
        preprocess=PreprocessSpec(resize=5, crop=(4, 5)),
    )
    batch = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)
    session = Recorder()
    plugin.porter_infer(session, {"image": batch}, spec)
    assert list(session.fed.shape) == [2, 4, 5, 3] and session.fed.flags.c_contiguous
    assert all((session.fed[..., channel] == batch[:, channel]).all() for channel in range(3))


def test_it_runs_where_torch_cannot_be_imported(
    tmp_path: Path, write_model: WriteModel, write_photos: WritePhotos
) -> None:
    write_model()
    data, labels = write_photos(TEN)
    (tmp_path / "my.yaml").write_text(FLOAT)
    code = (
        "import sys; sys.modules['torch'] = None; from importlib.metadata import entry_points; "
        "[porter] = entry_points(group='console_scripts', name='porter'); sys.exit(porter.load()())"
    )
    arguments = ["run", "onnx", "--config", "my.yaml", "--data", data.name, "--labels", labels.name, "--out", "out"]
    quick = ["--batch-sizes", "1", "--bench-seconds", "0"]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments, *quick],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "UNPROVEN: Top-1 100.00%" in done.stdout


def test_the_script_makes_the_run_again_and_compares(
    tmp_path: Path, write_model: WriteModel, write_photos: WritePhotos
) -> None:
    write_model()
    data, labels = write_photos(TEN)
    (tmp_path / "my.yaml").write_text(FLOAT)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        given = {"CONFIG": "my.yaml", "DATA": data.name, "LABELS": labels.name}
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PATH": path, **given}
        return subprocess.run(arguments, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    run = ["porter", "run", "onnx", "--config", "my.yaml", "--data", data.name, "--labels", labels.name, "--out", "out"]
    first = call(*run, "--batch-sizes", "1", "--bench-seconds", "0", "--threads", "1")
    assert first.returncode == 0, first.stderr
    again = call("sh", "out/reproduce.sh", "-again")
    assert "inputs: those of the record\n" in again.stdout, again.stderr
    assert again.returncode == 0 and again.stdout.endswith("\nReproduced.\n"), "speed is stated and decides nothing"
    assert (tmp_path / "-again/predictions.csv").read_bytes() == (tmp_path / "out/predictions.csv").read_bytes()
    (tmp_path / labels.name).write_text("1.png 0\n")
    changed = call("sh", "out/reproduce.sh", "third")
    assert changed.returncode == 2 and not (tmp_path / "third").exists()
    assert changed.stderr == f"porter: error: {labels.name}: not the labels of the original run\n"

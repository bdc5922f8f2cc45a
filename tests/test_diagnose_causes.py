"""porter diagnose run: of runs with one fault each, the first conclusion names it; healthy runs end with 0."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import lying
import numpy as np
import pytest
from faulty import Exporting, with_batchnorm
from lying import Lying, Offering
from PIL import Image as Pillow
from tiny import SIZE, SPEC, TinyPlugin, start, write_photos

from porter import Classification, DataRequest, Item, Manifest, Task, classify, hookimpl
from porter.contracts.requests import Image, Loaded, LoadRequest
from porter.errors import ExitCode
from porter.images.pipeline import reference_pipeline
from porter.pipeline.run import Run
from porter.pipeline.session_checks import check_names as names
from porter.records.diagnosed import Surety
from porter.records.loaded import LoadReport
from porter.records.record import State
from porter.records.spec import ModelSpec


def run_on(tmp_path: Path, count: int = 24, **settings: Any) -> Run:
    labels = write_photos(tmp_path / "val", [k % 3 for k in range(count)], size=(41, 33))
    return start(tmp_path / "out", tmp_path / "val", labels, **settings)


def first(run: Run) -> str:
    """Cause and words of the first finding, after a run and its diagnosis, neither of which may end with 0."""
    run.everything()
    assert run.diagnose() is ExitCode.VERDICT_FAILED
    found = run.record.diagnosis
    assert found is not None and found.findings and all(one.command.startswith("porter ") for one in found.findings)
    return f"{found.findings[0].cause} | {found.findings[0].text}"


class Louder(lying.Lie):
    """Every output a twentieth too large."""

    def told(self, honest: Any, batch: np.ndarray, number: int) -> lying.Outputs:
        return {name: values * np.float32(1.05) for name, values in honest(batch).items()}


class Bent(lying.Lie):
    """Outputs through a curve that nobody tries."""

    def told(self, honest: Any, batch: np.ndarray, number: int) -> lying.Outputs:
        return {name: values + np.float32(0.05) * np.sin(values) for name, values in honest(batch).items()}


class Coarser(lying.Lie):
    """Outputs cut to bfloat16."""

    def told(self, honest: Any, batch: np.ndarray, number: int) -> lying.Outputs:
        return {name: (v.view(np.uint32) & 0xFFFF0000).view(np.float32) for name, v in honest(batch).items()}


@pytest.mark.parametrize(
    ("lie", "cause"),
    [
        (lying.wide(lying.Shuffled), names.SHUFFLED),
        (lying.wide(lying.LastRow), names.LAST_ROW),
        (lying.wide(lying.OfNeighbours), names.NEIGHBOURS),
        (lying.wide(lying.NanRows), names.NAN_ROWS),
        (lying.OfPlace, names.PLACE),
        (lying.wide(lying.OnePlace), names.PLACE),
        (lying.Centred, names.NEIGHBOURS),
        (lying.BatchBefore, names.BATCH_BEFORE),
        (lying.wide(lying.Remembered), names.BATCH_BEFORE),
        (lying.OneBuffer, names.ONE_BUFFER),
        (lying.FromCall, names.LATER_CALLS),
        (lying.Noisy, names.NOT_DETERMINISTIC),
        (lying.ZerosAtTimes, names.SWALLOWED),
        (lying.wide(lying.Skipped), names.REPEATED),
        (lying.SecondStream, names.THREADS),
        (lying.Layout, names.LAYOUT),
        (lying.LayoutOfBatches, names.LAYOUT),
        (lying.OtherThread, names.THREADS),
        (lying.StaleFile, names.STALE_FILE),
        (Louder, names.OTHER_OUTPUTS),
        (Bent, "numbers"),
        (Coarser, "rounded"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_fault_of_a_runtime_is_named(tmp_path: Path, lie: Any, cause: str) -> None:
    said = first(
        run_on(tmp_path, plugin=Offering(Lying(lie, "fp32")), runtimes=("lying",), **{"batch": 4, **lie.needs})
    )
    assert said.startswith(f"runtime {cause} | runtime: lying-fp32"), said


def test_a_fault_that_the_record_does_not_know_is_found_again(tmp_path: Path) -> None:
    """As where only the accuracy of a run is known: the session itself shows the fault."""
    run = run_on(tmp_path, plugin=Offering(Lying(lying.wide(lying.Shuffled), "fp32")), runtimes=("lying",), batch=4)
    run.everything()
    silent = tuple(replace(one, compared=None, checks=()) for one in run.record.evaluations)
    run.record = replace(run.record, evaluations=silent, performance=())
    assert run.diagnose() is ExitCode.VERDICT_FAILED
    found = run.record.diagnosis
    assert found is not None and found.findings[0].cause == "runtime shuffled-rows"
    assert "24 of 24 samples wrong; batch 4, threads 1, streams 1" in str(found.findings[0].text)


def eps(network: Any) -> Callable[[], None]:
    own, network.bn.eps = network.bn.eps, 1e-3
    return lambda: setattr(network.bn, "eps", own)


def new_statistics(network: Any) -> Callable[[], None]:
    mean, variance = network.bn.running_mean.clone(), network.bn.running_var.clone()
    network.bn.reset_running_stats()

    def undo() -> None:
        network.bn.running_mean.copy_(mean)
        network.bn.running_var.copy_(variance)

    return undo


def edited(change: Callable[[np.ndarray], np.ndarray], shape: tuple[int, ...] | None = None) -> Any:
    def edit(model: Any) -> None:
        from onnx import numpy_helper

        for one in model.graph.initializer:
            values = numpy_helper.to_array(one)
            if values.dtype == np.float32 and (shape is None or values.shape == shape):
                one.CopyFrom(numpy_helper.from_array(change(values).astype(np.float32), one.name))

    return edit


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        (eps, None, "BatchNorm2d bn: eps is 0.001 in the graph, should be 1e-05"),
        (new_statistics, None, "BatchNorm2d bn: the graph has initial BatchNorm statistics"),
        (None, edited(lambda values: values * 0, (3, 6)), "weight head.weight of /head/Gemm"),
        (None, edited(lambda values: (values * 1.1).astype(np.float16)), "all its weights are fp16 values"),
    ],
)
def test_a_fault_of_a_plugins_export_is_named(tmp_path: Path, before: Any, after: Any, named: str) -> None:
    said = first(run_on(tmp_path, plugin=Exporting(with_batchnorm(), before, after)))
    assert said.startswith("exporter") and named in said


def test_a_module_that_is_traced_otherwise_is_named(tmp_path: Path) -> None:
    import torch

    class Traced(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return x * 1.3 if torch.onnx.is_in_onnx_export() else x

    network = with_batchnorm()
    network.add_module("odd", Traced())
    assert first(run_on(tmp_path, plugin=TinyPlugin(network=network.eval()))).startswith(
        "exporter | exporter: Traced odd "
    )


class TwoSets(TinyPlugin):
    """A checkpoint whose average is trained, and whose plain weights answer at random."""

    @hookimpl
    def porter_load(self, request: LoadRequest) -> Loaded:
        import torch

        network = with_batchnorm()
        if request.weights != "state_dict_ema":
            with torch.no_grad():
                network.head.weight.copy_(network.head.weight[[0, 0, 0]])
                network.head.bias.copy_(torch.tensor([0.0, 0.1, 0.2]))
        report = LoadReport(
            format="made here",
            safe=True,
            weights=request.weights or "state_dict",
            weights_offered=("state_dict", "state_dict_ema"),
            expected=8,
            loaded=8,
            parameters=12,
        )
        return Loaded(spec=self.spec, module=network, report=report)


def test_the_average_beside_the_weights_is_named_with_the_option(tmp_path: Path) -> None:
    run = run_on(tmp_path, plugin=TwoSets())
    assert "with state_dict_ema of the checkpoint" in first(run)
    found = run.record.diagnosis
    assert found is not None and "--weights state_dict_ema" in found.findings[0].command
    assert any(one.cause == "reference poor" for one in found.findings)


def test_statistics_as_initialised_are_named(tmp_path: Path) -> None:
    network = with_batchnorm()
    network.bn.reset_running_stats()
    network.head.bias.data[2] = 100
    said = first(run_on(tmp_path, plugin=TinyPlugin(network=network)))
    assert "1 of 1 BatchNorms have initial statistics" in said and "(first: bn)" in said


def test_another_eps_that_the_labels_tell_is_named(tmp_path: Path) -> None:
    import torch

    network = with_batchnorm()
    with torch.no_grad():
        network.bn.running_var[[2, 5]] = 0.0
        network.bn.running_mean[[2, 5]] = -0.06
    said = first(run_on(tmp_path, plugin=TinyPlugin(network=network)))
    assert said.startswith("weights eps") and "instead of 1e-05, accuracy is 100.00% instead of 33.33%" in said


def test_a_learned_order_of_the_classes_is_the_last_suspect(tmp_path: Path) -> None:
    run_on(tmp_path, 45)
    path = tmp_path / "labels.txt"
    lines = [line.rsplit(" ", 1) for line in path.read_text().splitlines()]
    path.write_text("".join(f"{name} {[1, 0, 2][int(label)]}\n" for name, label in lines))
    run = start(tmp_path / "again", tmp_path / "val", path)
    assert first(run).startswith("labels permutation")
    found = run.record.diagnosis
    assert found is not None and {one.surety for one in found.findings} == {Surety.LAST, Surety.HINT}


def test_labels_are_the_references_fault(tmp_path: Path) -> None:
    run_on(tmp_path, 45)
    path = tmp_path / "labels.txt"
    lines = [line.rsplit(" ", 1) for line in path.read_text().splitlines()]
    path.write_text("".join(f"{name} {(int(label) + 1) % 3}\n" for name, label in lines))
    assert first(start(tmp_path / "again", tmp_path / "val", path)).startswith("labels")


class Preprocessing(TinyPlugin):
    """Preprocesses in a way of its own."""

    def __init__(self, change: Callable[[np.ndarray, Any], np.ndarray]) -> None:
        super().__init__()
        self.change = change

    @hookimpl
    def porter_preprocess(self, sample: Image, spec: ModelSpec) -> np.ndarray:
        return np.ascontiguousarray(self.change(sample.pixels, spec.image), dtype=np.float32)


def normalised(levels: np.ndarray) -> np.ndarray:
    return ((levels.astype(np.float32) / 255 - np.float32(0.5)) / np.float32(0.5)).transpose(2, 0, 1)


def grey_levels(pixels: np.ndarray, spec: Any) -> np.ndarray:
    return np.rint((reference_pipeline(pixels, spec).transpose(1, 2, 0) * 0.5 + 0.5) * 255)


def shifted(pixels: np.ndarray, spec: Any) -> np.ndarray:
    wide = reference_pipeline(pixels, replace(spec, crop=(SIZE + 8, SIZE + 8), resize=SIZE + 12))
    return wide[:, 4 + 3 : 4 + 3 + SIZE, 4 + 2 : 4 + 2 + SIZE]


def letterbox(pixels: np.ndarray, spec: Any) -> np.ndarray:
    height, width = pixels.shape[:2]
    scale = SIZE / max(height, width)
    sized = Pillow.fromarray(pixels).resize((round(width * scale), round(height * scale)), Pillow.Resampling.BILINEAR)
    framed = np.full((SIZE, SIZE, 3), 114, np.uint8)
    top, left = (SIZE - sized.height) // 2, (SIZE - sized.width) // 2
    framed[top : top + sized.height, left : left + sized.width] = np.asarray(sized)
    return normalised(framed)


@pytest.mark.parametrize(
    ("change", "named", "resize"),
    [
        (lambda pixels, spec: reference_pipeline(pixels, spec)[:, :, ::-1], "mirrored", 18),
        (lambda pixels, spec: reference_pipeline(pixels, spec)[:, ::-1], "upside down", 18),
        (lambda pixels, spec: normalised(255 * (grey_levels(pixels, spec) / 255) ** 1.7), "gamma 1.7", 18),
        (shifted, "crop shifted 3 pixels down and 2 pixels right", SIZE + 12),
        (letterbox, "letterbox", 18),
        (lambda pixels, spec: np.round(reference_pipeline(pixels, spec), 1), "rounded to 1 decimals", 18),
        (lambda pixels, spec: np.round(reference_pipeline(pixels, spec) * 16) / 16, "steps of 1/16", 18),
        (lambda pixels, spec: np.clip(reference_pipeline(pixels, spec), 0, 1), "clipped to 0..1", 18),
    ],
    ids=["mirrored", "upside down", "gamma", "shift", "letterbox", "rounded", "steps", "cut"],
)
def test_suspects_of_preprocessing(tmp_path: Path, change: Any, named: str, resize: int) -> None:
    plugin = Preprocessing(change)
    plugin.spec = replace(SPEC, preprocess=replace(SPEC.image, resize=resize))
    said = first(run_on(tmp_path, 9, plugin=plugin))
    assert said.startswith("preprocessing |") and named in said


class Halves(Classification):
    """Two items an image, each of a name of its own."""

    name, title = "halves", "Halves"

    def manifest(self, request: DataRequest) -> Manifest:
        whole = super().manifest(request)
        items = [Item(f"{one.id}#{n}", one.label, path=one.file) for one in whole.items for n in range(2)]
        return replace(whole, items=tuple(items), found=len(items))


class OfHalves(Preprocessing):
    @hookimpl
    def porter_tasks(self) -> list[Task]:
        return [Halves()]

    @hookimpl
    def porter_postprocess(self, outputs: Any) -> Any:
        return classify(outputs["class"])


def test_preprocessing_of_items_that_are_named_otherwise_than_their_files(tmp_path: Path) -> None:
    plugin = OfHalves(lambda pixels, spec: reference_pipeline(pixels, spec)[:, :, ::-1])
    plugin.spec = replace(SPEC, task="halves")
    run = run_on(tmp_path, 9, plugin=plugin)
    assert first(run).startswith("preprocessing |")
    found = run.record.diagnosis
    assert found is not None and found.preprocessing is not None and found.preprocessing.images == 9


def test_one_buffer_for_all_threads_fails_and_one_for_each_does_not(tmp_path: Path) -> None:
    shared, each = np.empty((3, SIZE, SIZE), np.float32), threading.local()

    def into(buffer: np.ndarray, pixels: np.ndarray, spec: Any) -> np.ndarray:
        buffer[...] = reference_pipeline(pixels, spec)
        return buffer

    def into_own(pixels: np.ndarray, spec: Any) -> np.ndarray:
        if not hasattr(each, "buffer"):
            each.buffer = np.empty_like(shared)
        return into(each.buffer, pixels, spec)

    said = first(run_on(tmp_path / "shared", 9, plugin=Preprocessing(lambda *of: into(shared, *of))))
    assert said.startswith("preprocessing buffer |") and "one shared buffer" in said
    run = run_on(tmp_path / "own", 9, plugin=Preprocessing(into_own))
    assert run.everything() is ExitCode.OK


def test_a_fault_on_some_images_only_is_named_by_their_kind(tmp_path: Path) -> None:
    def portraits(pixels: np.ndarray, spec: Any) -> np.ndarray:
        tensor = reference_pipeline(pixels, spec)
        return tensor[:, :, ::-1] if pixels.shape[0] > pixels.shape[1] else tensor

    run = run_on(tmp_path, 24, plugin=Preprocessing(portraits))
    for name in ("photo 005.jpg", "photo 010.jpg"):
        path = tmp_path / "val" / name
        Pillow.open(path).rotate(90, expand=True).save(path)
    said = first(run)
    assert run.record.preprocessing is not None and said.startswith("preprocessing |")
    assert "mirrored" in said and "only portrait images differ" in said


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"threads": 2, "streams": 2},
        {"count": 9},
        {"precisions": ("fp32", "int8"), "calibration_images": 8, "count": 32},
        {"runtimes": ("openvino",), "precisions": ("bf16",)},
    ],
    ids=["plain", "streams", "few", "int8", "bf16"],
)
def test_healthy_runs_are_sound(tmp_path: Path, settings: Any) -> None:
    run = run_on(tmp_path, settings.pop("count", 24), plugin=TinyPlugin(network=with_batchnorm()), **settings)
    for stage in (run.export, run.verify, run.evaluate, run.diagnose):
        assert stage() is ExitCode.OK
    found = run.record.diagnosis
    assert found is not None and found.sound and not found.findings and found.ruled_out


def test_what_nothing_explains_lists_what_was_ruled_out(tmp_path: Path) -> None:
    """As where a run failed on another day: its record says so, and everything is right by now."""
    run = run_on(tmp_path)
    run.everything()
    low = tuple(replace(one, nonfinite=3) if one.name != "reference" else one for one in run.record.evaluations)
    run.record = replace(run.record, evaluations=low)
    accuracy = replace(run.record.verdicts[-1], state=State.FAIL)
    run.record = replace(run.record, verdicts=(*run.record.verdicts[:-1], accuracy))
    assert run.diagnose() is ExitCode.VERDICT_FAILED
    found = run.record.diagnosis
    assert found is not None and not found.sound and found.failed == ("accuracy",)
    assert found.findings[0].cause == "unknown" and "ruled out: " in str(found.findings[0].text)
    assert "samples equal one at a time" in str(found.findings[0].text)

"""Every hook is documented with its exact signature, has an example that runs, a test, and the version it came with."""

from __future__ import annotations

import ast
import doctest
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from plugin_objects import offering
from tiny import write_photos

from porter import Artefact, OnnxRuntimeSession, OpenRequest, State, hookimpl, hookspecs, testing
from porter.contracts.requests import Exported, ExportRequest, Image, Loaded, LoadRequest, ModelRequest
from porter.contracts.runtime import Runtime
from porter.contracts.task import Task
from porter.data.store import open_store
from porter.documents.form_folder import write_form
from porter.documents.templates import Templates
from porter.errors import ImageError
from porter.hosting.hooks import hook_names
from porter.hosting.manager import create_registry
from porter.hosting.model_hooks import ModelHooks
from porter.hosting.registry import Registry
from porter.records.loaded import LoadReport
from porter.records.manifest import Item, Manifest
from porter.records.record import RunRecord
from porter.records.request import RunRequest
from porter.records.spec import ModelSpec, PreprocessSpec, TensorSpec

ROOT = Path(__file__).resolve().parents[1]
SPEC = ModelSpec(
    name="example",
    task="classification",
    inputs=(TensorSpec(name="image", shape=("N", 32, 32, 3)),),
    outputs=(TensorSpec(name="class", shape=("N", 10)),),
    preprocess=PreprocessSpec(resize=36, crop=(32, 32)),
)

each_hook = pytest.mark.parametrize("hook", hook_names())


@pytest.fixture(scope="module")
def page() -> dict[str, str]:
    """The sections of the reference page by hook."""
    text = (ROOT / "docs/reference/hooks.md").read_text(encoding="utf-8")
    sections = re.split(r"^## `(porter_\w+)`$", text, flags=re.MULTILINE)[1:]
    return dict(zip(sections[::2], sections[1::2], strict=True))


def run_example(hook: str) -> dict[str, Any]:
    """Run the docstring's example, and return the names that it defined."""
    [test] = doctest.DocTestFinder(recurse=False).find(getattr(hookspecs, hook), hook, globs={})
    assert test.examples
    failed = doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF).run(test, clear_globs=False).failed
    assert not failed
    return test.globs


def test_there_are_hooks(page: dict[str, str]) -> None:
    assert len(hook_names()) == 12
    assert tuple(page) == hook_names()


@each_hook
def test_its_exact_signature_is_in_the_reference(hook: str, page: dict[str, str]) -> None:
    signature = inspect.signature(getattr(hookspecs, hook))
    arguments = ", ".join(f"{p.name}: {p.annotation}" for p in signature.parameters.values())
    assert f"```python\ndef {hook}({arguments}) -> {signature.return_annotation}\n```" in page[hook]


@each_hook
def test_its_version_is_in_the_reference(hook: str, page: dict[str, str]) -> None:
    since = re.search(r"^Since: (\d+\.\d+)$", inspect.getdoc(getattr(hookspecs, hook)) or "", re.MULTILINE)
    assert since and f"- Since: {since[1]}\n" in page[hook]


@each_hook
def test_its_example_runs_and_is_in_the_reference(hook: str, page: dict[str, str]) -> None:
    run_example(hook)
    lines = re.findall(r"^ *(?:>>>|\.\.\.) (.*)$", inspect.getdoc(getattr(hookspecs, hook)) or "", re.MULTILINE)
    _signature, example = re.findall(r"```python\n(.*?)\n```", page[hook], re.DOTALL)
    assert [line for line in example.splitlines() if line] == lines


@each_hook
def test_its_example_is_accepted_and_answers(hook: str, tmp_path: Path) -> None:
    example = SimpleNamespace(**{hook: run_example(hook)[hook]})
    if hook not in ("porter_models", "porter_runtimes", "porter_tasks", "porter_forms"):
        example = SimpleNamespace(**vars(offering("example")), **vars(example))
    registry = create_registry([("example", example)])
    info = registry.infos[-1]
    assert (info.name, info.state, info.reason) == ("example", "active", "")
    assert hook in info.hooks
    CALLS[hook](registry, tmp_path)


@each_hook
def test_its_example_takes_part_in_a_whole_run(hook: str, tmp_path: Path) -> None:
    """With a model made of the other examples, changed where this one stands for another kind of model."""
    parts = {name: run_example(name)[name] for name in ("porter_models", "porter_describe", "porter_load")}
    parts |= {name: value for name, value in run_example(hook).items() if name.startswith("porter_")}
    labels = write_photos(tmp_path / "val", [0, 1, 2, 2], size=(40, 36))
    parts |= CHANGES[hook](tmp_path) if hook in CHANGES else {}
    (tmp_path / "model.pth").write_bytes(b"looked at by no example")
    run = testing.start_run(
        tmp_path / "out",
        SimpleNamespace(**parts),
        data=tmp_path / "val",
        labels=labels,
        checkpoint=tmp_path / "model.pth",
        runtimes=("onnxruntime", "numpy") if hook == "porter_runtimes" else ("onnxruntime",),
        **({"form": "summary"} if hook == "porter_forms" else {}),
    )
    run.everything()
    states = {verdict.name: verdict.state for verdict in run.record.verdicts}
    wrong = {"preprocessing": State.FAIL} if hook == "porter_preprocess" else {}  # it cuts a corner
    del states["accuracy"]  # the weights are drawn at random
    assert states == dict.fromkeys(("weights", "parity", "preprocessing", "data"), State.PASS) | wrong
    assert (tmp_path / "out/summary/SUMMARY.txt").exists() == (hook == "porter_forms")
    gate = "top5" if hook == "porter_tasks" else "top1"
    assert {comparison.metric for comparison in run.record.comparisons} == {gate}


@each_hook
def test_it_has_a_test_of_its_own(hook: str) -> None:
    if (ROOT / f"tests/test_hook_{hook}.py").exists():
        return
    names = {
        node.name
        for path in (ROOT / "tests").glob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    }
    assert any(name == f"test_hook_{hook}" or name.startswith(f"test_hook_{hook}_") for name in names)


# --- one call of each example, with what it stands for ---------------------------------------------------------------


class Channels:
    """A session that sums over its last axis, so that the layout that it is fed shows."""

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {"class": feeds["image"].sum(axis=(1, 2))}


def hooks(registry: Registry) -> ModelHooks:
    return registry.model("example")[1]


def call_models(registry: Registry, _folder: Path) -> None:
    assert registry.model("tiny")[0].title == "A tiny net"


def call_describe(registry: Registry, _folder: Path) -> None:
    spec = hooks(registry).describe(ModelRequest(model="example"))
    assert (spec.name, spec.num_classes, spec.image.crop) == ("example", 10, (32, 32))


def call_load(registry: Registry, _folder: Path) -> None:
    loaded = hooks(registry).load(LoadRequest(spec=SPEC))
    assert loaded.spec is SPEC and not loaded.module.training
    assert loaded.report.parameters == sum(p.numel() for p in loaded.module.parameters())
    assert loaded.report.loaded == len(loaded.module.state_dict())


def call_export(registry: Registry, folder: Path) -> None:
    (folder / "here.onnx").write_bytes(b"a graph")
    report = LoadReport(format="onnx", safe=True, weights="", expected=0, loaded=0, parameters=0)
    loaded = Loaded(spec=SPEC, module=folder / "here.onnx", report=report)
    exported = hooks(registry).export(loaded, ExportRequest(path=folder / "there.onnx"))
    assert isinstance(exported, Exported) and (folder / "there.onnx").read_bytes() == b"a graph"


def call_read(registry: Registry, folder: Path) -> None:
    (folder / "a.wav").write_bytes(bytes(44) + np.array([1, -2, 3], "<i2").tobytes())
    (folder / "empty.wav").write_bytes(bytes(44))
    store = open_store(str(folder))
    assert hooks(registry).read(Item("a.wav", 0), store, SPEC).tolist() == [1, -2, 3]
    with pytest.raises(ImageError, match="no sound behind the head of the file"):
        hooks(registry).read(Item("empty.wav", 0), store, SPEC)


def call_reference(registry: Registry, _folder: Path) -> None:
    found = hooks(registry).reference(np.full(8, 16384, np.int16), SPEC)
    assert found is not None and found["image"].dtype == np.float32
    np.testing.assert_allclose(found["image"], [np.log1p(4), 0, 0, 0, 0], atol=1e-6)


def call_preprocess(registry: Registry, _folder: Path) -> None:
    pixels = np.full((40, 50, 3), 51, np.uint8)
    array = hooks(registry).preprocess(Image(id="a.png", pixels=pixels), SPEC)["image"]
    assert array.dtype == np.float32 and array.shape == (3, 32, 32) and np.allclose(array, 0.2)


def call_infer(registry: Registry, _folder: Path) -> None:
    session: Any = Channels()
    outputs = hooks(registry).infer(session, {"image": np.ones((2, 3, 32, 32), np.float32)}, SPEC)
    assert outputs["class"].shape == (2, 3)


def call_postprocess(registry: Registry, _folder: Path) -> None:
    scores = np.eye(11, dtype=np.float32)[[4, 7]]
    predictions = hooks(registry).postprocess({"class": scores}, SPEC, ())
    task = registry.task("classification")
    assert [task.answer(one) for one in predictions] == [3, 6]
    scorer = task.scorer(
        replace(SPEC, num_classes=10), Manifest(root="", items=(), found=0, selection="", labels_from="")
    )
    assert [scorer.add(Item("a.png", label), one) for label, one in zip((3, 5), predictions, strict=True)] == [1.0, 0.0]
    assert [len(task.row(one)) for one in predictions] == [len(task.columns)] * 2


def call_runtimes(registry: Registry, _folder: Path) -> None:
    runtime = registry.runtime("numpy")
    assert isinstance(runtime, Runtime) and runtime.status().available
    runtime.require("fp32", None)


def call_tasks(registry: Registry, _folder: Path) -> None:
    task = registry.task("classification-top5")
    assert isinstance(task, Task) and task.gate == "top5"


def call_forms(registry: Registry, folder: Path) -> None:
    record = RunRecord(porter="0", created="", command="", request=RunRequest(model="example"), model=SPEC)
    [path] = write_form(folder, registry.form("summary"), record, Templates())
    assert path == folder / "summary/SUMMARY.txt" and path.read_text() == "example: 0.00 images/s"


# --- the kinds of model that the examples stand for ------------------------------------------------------------------


def described(**changes: Any) -> Callable[[ModelRequest], ModelSpec]:
    """A porter_describe like the documented one, but for some fields."""
    plain = run_example("porter_describe")["porter_describe"]

    @hookimpl
    def porter_describe(request: ModelRequest) -> ModelSpec:
        return replace(plain(request), **changes)

    return porter_describe


def loaded_as(make: Callable[[LoadRequest], dict[str, Any]]) -> Callable[[LoadRequest], Loaded]:
    report = LoadReport(format="made here", safe=True, weights="", expected=2, loaded=2, parameters=30730)

    @hookimpl
    def porter_load(request: LoadRequest) -> Loaded:
        return Loaded(spec=request.spec, report=report, **make(request))

    return porter_load


def linear(columns: int, rows: int = 3 * 32 * 32) -> Callable[[LoadRequest], dict[str, Any]]:
    import torch

    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(rows, columns)).eval()
    return lambda request: {"module": network}


def with_background(_folder: Path) -> dict[str, Any]:
    """Eleven columns, the first of which is no class."""
    outputs = (TensorSpec(name="class", shape=("N", 11)),)
    return {"porter_describe": described(outputs=outputs), "porter_load": loaded_as(linear(11))}


def channels_last(_folder: Path) -> dict[str, Any]:
    inputs = (TensorSpec(name="image", shape=("N", 32, 32, 3)),)
    return {"porter_describe": described(inputs=inputs), "porter_load": loaded_as(linear(10))}


def from_a_file(folder: Path) -> dict[str, Any]:
    """The model is an ONNX file, and its module the file's path."""
    spec, path = described()(ModelRequest(model="tiny")), folder / "given.onnx"
    loaded = loaded_as(linear(10))(LoadRequest(spec=spec))
    create_registry([("tiny", offering("tiny"))]).model("tiny")[1].export(loaded, ExportRequest(path=path))

    def make(request: LoadRequest) -> dict[str, Any]:
        artefact = Artefact(runtime="onnxruntime", precision="fp32", path=str(path))
        opening = OpenRequest(artefact=artefact, path=path, spec=request.spec, threads=request.threads or 1)
        return {"module": path, "reference": OnnxRuntimeSession(opening, optimise=False)}

    return {"porter_load": loaded_as(make)}


def of_sounds(folder: Path) -> dict[str, Any]:
    """Sounds take the place of the photos; the model takes their spectrum."""
    random = np.random.default_rng(0)
    for path in (folder / "val").iterdir():
        path.write_bytes(bytes(44) + random.integers(-9999, 9999, 64).astype("<i2").tobytes())

    @hookimpl
    def porter_preprocess(sample: np.ndarray) -> np.ndarray:
        return np.log1p(np.abs(np.fft.fft(sample / 32768)[:33])).astype(np.float32)

    return {
        "porter_describe": described(inputs=(TensorSpec(name="sound", shape=("N", 33)),), preprocess=None),
        "porter_load": loaded_as(linear(10, 33)),
        "porter_read": run_example("porter_read")["porter_read"],
        "porter_preprocess": porter_preprocess,
        "porter_reference": run_example("porter_reference")["porter_reference"],
    }


def judged_by_its_task(_folder: Path) -> dict[str, Any]:
    return {"porter_describe": described(task="classification-top5")}


CHANGES: dict[str, Callable[[Path], dict[str, Any]]] = {
    "porter_export": from_a_file,
    "porter_read": of_sounds,
    "porter_reference": of_sounds,
    "porter_infer": channels_last,
    "porter_postprocess": with_background,
    "porter_tasks": judged_by_its_task,
}


CALLS: dict[str, Callable[[Registry, Path], None]] = {
    "porter_models": call_models,
    "porter_describe": call_describe,
    "porter_load": call_load,
    "porter_export": call_export,
    "porter_read": call_read,
    "porter_preprocess": call_preprocess,
    "porter_reference": call_reference,
    "porter_infer": call_infer,
    "porter_postprocess": call_postprocess,
    "porter_runtimes": call_runtimes,
    "porter_tasks": call_tasks,
    "porter_forms": call_forms,
}

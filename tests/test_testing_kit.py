"""The kit for plugin authors: it passes a good plugin, and says of a bad one which hook does what wrongly."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lying import Lie, Lying, Outputs

from porter import hookimpl
from porter.builtin import defaults
from porter.builtin.classification import Classified, classify
from porter.builtin.onnxruntime import OnnxRuntime, OnnxRuntimeSession
from porter.contracts.form import Form, FormRequest
from porter.contracts.probe import Probe
from porter.contracts.requests import Exported, ExportRequest, Image, Loaded, LoadRequest, ModelOffer, ModelRequest
from porter.contracts.runtime import (
    BuildRequest,
    OpenRequest,
    ProbeRequest,
    Runtime,
    RuntimeOption,
    RuntimeStatus,
    Session,
)
from porter.hosting.manager import create_registry
from porter.images.pipeline import reference_pipeline
from porter.records.artefact import Artefact
from porter.records.loaded import LoadReport
from porter.records.spec import ModelSpec, PreprocessSpec, TensorSpec
from porter.runfolder.record_file import read_record
from porter.testing import ConformanceError, Finished, ImageSet, check_conformance, write_image_set

pytest_plugins = ("porter.testing",)

SIZE, CLASSES = 16, 2
SPEC = ModelSpec(
    name="tiny",
    title="A tiny *net*",
    task="classification",
    num_classes=CLASSES,
    inputs=(TensorSpec(name="image", shape=("N", 3, SIZE, SIZE)),),
    outputs=(TensorSpec(name="class", shape=("N", CLASSES)),),
    preprocess=PreprocessSpec(resize=SIZE, crop=(SIZE, SIZE)),
)


class Net(torch.nn.Module):
    """Convolution, batch normalisation and a linear layer, with weights from a seed."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.conv = torch.nn.Conv2d(3, 4, 3, stride=2)
            self.bn = torch.nn.BatchNorm2d(4)
            self.linear = torch.nn.Linear(4, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(self.flat(torch.relu(self.bn(self.conv(x)))))

    def flat(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3))


def loaded(spec: ModelSpec, net: torch.nn.Module, **report: Any) -> Loaded:
    facts = {"expected": 9, "loaded": 9, "parameters": 130, **report}
    return Loaded(spec=spec, module=net, report=LoadReport(format="made here", safe=True, weights="", **facts))


class Good:
    """The least that a plugin of a model implements."""

    @hookimpl
    def porter_models(self) -> Sequence[ModelOffer]:
        return [ModelOffer(name="tiny", title="A tiny net", variants=(SPEC,), needs_checkpoint=False)]

    @hookimpl
    def porter_describe(self, request: ModelRequest) -> ModelSpec:
        return SPEC

    @hookimpl
    def porter_load(self, request: LoadRequest) -> Loaded:
        return loaded(request.spec, Net().eval())


@pytest.fixture
def porter_plugin() -> object:
    return Good()


def test_a_good_plugin_conforms_though_near_chance(
    porter_conformance: Callable[..., None], porter_folder: Path
) -> None:
    porter_conformance()
    assert r"# A tiny \*net\*" in (porter_folder / "README.md").read_text()
    verdicts = {verdict.name: verdict.state for verdict in read_record(porter_folder).verdicts}
    sound = dict.fromkeys(("weights", "parity", "preprocessing", "data"), "pass")
    assert verdicts == {**sound, "accuracy": "fail"}


def test_the_image_set_has_what_real_sets_have(porter_run: Callable[..., Finished], porter_data: ImageSet) -> None:
    record = porter_run(data=porter_data.data, labels=porter_data.labels).record
    assert record.data is not None
    assert (record.data.listed, record.data.decoded, record.data.failed) == (10, 9, 1)
    assert record.data.conversions == {"cmyk": 1, "grey": 1, "palette": 1, "rgba": 1}
    assert [failure.id for failure in record.data.failures] == ["damaged.jpg"]


class WrongType(Good):
    @hookimpl
    def porter_preprocess(self, sample: Image, spec: ModelSpec) -> np.ndarray:
        return reference_pipeline(sample.pixels, spec.image).astype(np.float64)


class WrongShape(Good):
    @hookimpl
    def porter_preprocess(self, sample: Image, spec: ModelSpec) -> np.ndarray:
        return reference_pipeline(sample.pixels, spec.image).transpose(1, 2, 0)


class Mutating(Good):
    @hookimpl
    def porter_preprocess(self, sample: Image, spec: ModelSpec) -> np.ndarray:
        found = reference_pipeline(sample.pixels, spec.image)
        sample.pixels[:] = 0
        return found


class Nondeterministic(Good):
    random = np.random.default_rng(0)

    @hookimpl
    def porter_preprocess(self, sample: Image, spec: ModelSpec) -> np.ndarray:
        return reference_pipeline(sample.pixels, spec.image) + np.float32(self.random.random())


class SharedBuffer(Good):
    buffer = np.zeros((3, SIZE, SIZE), np.float32)

    @hookimpl
    def porter_preprocess(self, sample: Image, spec: ModelSpec) -> np.ndarray:
        return reference_pipeline(sample.pixels, spec.image, out=self.buffer)


class SwappedChannels(Good):
    @hookimpl
    def porter_preprocess(self, sample: Image, spec: ModelSpec) -> np.ndarray:
        return reference_pipeline(sample.pixels[:, :, ::-1], spec.image)


class LeftInTraining(Good):
    @hookimpl
    def porter_load(self, request: LoadRequest) -> Loaded:
        net = Net().eval()
        net.bn.train()
        return loaded(request.spec, net)


class FunctionalDropout(Good):
    @hookimpl
    def porter_load(self, request: LoadRequest) -> Loaded:
        class Dropping(Net):
            def flat(self, x: torch.Tensor) -> torch.Tensor:
                return torch.nn.functional.dropout(super().flat(x))

        return loaded(request.spec, Dropping().eval())


class BatchStatistics(Good):
    @hookimpl
    def porter_load(self, request: LoadRequest) -> Loaded:
        class Normalising(Net):
            def flat(self, x: torch.Tensor) -> torch.Tensor:
                return torch.nn.functional.batch_norm(super().flat(x), None, None, training=True)

        return loaded(request.spec, Normalising().eval())


class RandomWeights(Good):
    seeds = iter(range(9))

    @hookimpl
    def porter_load(self, request: LoadRequest) -> Loaded:
        return loaded(request.spec, Net(next(self.seeds)).eval())


class HalfLoaded(Good):
    @hookimpl
    def porter_load(self, request: LoadRequest) -> Loaded:
        return loaded(request.spec, Net().eval(), loaded=7)


class MoreClasses(Good):
    @hookimpl
    def porter_load(self, request: LoadRequest) -> Loaded:
        net = Net()
        net.linear = torch.nn.Linear(4, 5)
        return loaded(request.spec, net.eval())


class WrongName(Good):
    @hookimpl
    def porter_export(self, loaded: Loaded, request: ExportRequest) -> Exported:
        renamed = replace(SPEC, outputs=(TensorSpec(name="logits", shape=("N", CLASSES)),))
        return defaults.porter_export(replace(loaded, spec=renamed), request)


class LeavingInTraining(Good):
    @hookimpl
    def porter_export(self, loaded: Loaded, request: ExportRequest) -> Exported:
        exported = defaults.porter_export(loaded, request)
        loaded.module.train()
        return exported


class BakedBatch(Good):
    @hookimpl
    def porter_load(self, request: LoadRequest) -> Loaded:
        class Reshaping(Net):
            def flat(self, x: torch.Tensor) -> torch.Tensor:
                return x.reshape(int(x.shape[0]), 4, -1).mean(2)

        return loaded(request.spec, Reshaping().eval())


class LosingRows(Good):
    @hookimpl
    def porter_postprocess(self, outputs: Mapping[str, np.ndarray], spec: ModelSpec) -> Sequence[Classified]:
        return classify(outputs["class"])[:-1]


class BatchwisePredictions(Good):
    @hookimpl
    def porter_postprocess(self, outputs: Mapping[str, np.ndarray], spec: ModelSpec) -> Sequence[Classified]:
        return classify(outputs["class"] - outputs["class"].mean(axis=0))


class ChangingSpec(Good):
    calls = iter(range(9))

    @hookimpl
    def porter_describe(self, request: ModelRequest) -> ModelSpec:
        return replace(SPEC, facts={"calls": str(next(self.calls))})


class OtherOutputs(Good):
    @hookimpl
    def porter_describe(self, request: ModelRequest) -> ModelSpec:
        return replace(SPEC, outputs=(TensorSpec(name="logits", shape=("N", CLASSES)),))


class UnfilledText(Good):
    @hookimpl
    def porter_describe(self, request: ModelRequest) -> ModelSpec:
        return replace(SPEC, description="{{ description }}")


class FactThatIsNoText(Good):
    @hookimpl
    def porter_describe(self, request: ModelRequest) -> ModelSpec:
        return replace(SPEC, facts={"layers": 3})  # type: ignore[dict-item]


class SlowOffers(Good):
    @hookimpl
    def porter_models(self) -> Sequence[ModelOffer]:
        import torch.nn  # noqa: F401

        return super().porter_models()


class NoOffers(Good):
    @hookimpl
    def porter_models(self) -> Sequence[ModelOffer]:
        return ["tiny"]  # type: ignore[list-item]


class Misspelt(Good):
    @hookimpl
    def porter_preproces(self, sample: Image) -> None: ...


class StrangeArgument(Good):
    @hookimpl
    def porter_export(self, loaded: Loaded, opset: int) -> None: ...


class Unmarked(Good):
    def porter_infer(self, session: Any, feeds: Mapping[str, np.ndarray]) -> None: ...


class WithoutLoad:
    porter_models = Good.porter_models
    porter_describe = Good.porter_describe


class RaisingRuntime(Runtime):
    name = "raising"

    def status(self) -> RuntimeStatus:
        raise OSError("no driver")

    build = open = None  # type: ignore[assignment]


class OffersRuntime(Good):
    @hookimpl
    def porter_runtimes(self) -> Sequence[Runtime]:
        return [RaisingRuntime()]


class Doubling(Lie):
    def told(self, honest: Any, batch: np.ndarray, number: int) -> Outputs:
        return {name: 2 * values for name, values in honest(batch).items()}


class OffersDoublingRuntime(Good):
    @hookimpl
    def porter_runtimes(self) -> Sequence[Runtime]:
        return [Lying(Doubling)]


class NamelessOptionRuntime(OnnxRuntime):
    name = "optional"
    options = (RuntimeOption(name="two words", default=1, help="Something."),)


class OffersNamelessOption(Good):
    @hookimpl
    def porter_runtimes(self) -> Sequence[Runtime]:
        return [NamelessOptionRuntime()]


class DoublingProbe(Probe):
    label = "doubling"

    def names(self) -> Sequence[str]:
        return ["flat", "class"]

    def fetch(self, names: Sequence[str], feed: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        flat = feed["image"].reshape(len(feed["image"]), -1)
        return {"flat": 2 * flat}


class ProbingRuntime(OnnxRuntime):
    name = "probing"
    probes = True

    def build(self, request: BuildRequest) -> Artefact:
        return replace(super().build(request), runtime=self.name)

    def open(self, request: OpenRequest) -> Session:
        session = OnnxRuntimeSession(request)
        session.info = replace(session.info, runtime=self.name)
        return session

    def probe(self, request: ProbeRequest) -> Probe:
        return DoublingProbe()


class OffersProbingRuntime(Good):
    @hookimpl
    def porter_runtimes(self) -> Sequence[Runtime]:
        return [ProbingRuntime()]


class FastestForm(Form):
    name, title = "fastest", "The fastest figure alone"

    def files(self, request: FormRequest) -> Mapping[str, bytes]:
        best = max(request.record.performance, key=lambda one: one.images_per_second)
        return {"README.md": f"{best.images_per_second}".encode()}


class OffersFragileForm(Good):
    @hookimpl
    def porter_forms(self) -> Sequence[Form]:
        return [FastestForm()]


class TextForm(Form):
    name, title = "text", "Text in place of bytes"

    def files(self, request: FormRequest) -> Mapping[str, bytes]:
        return {"README.md": "text"}  # type: ignore[dict-item]


class OffersTextForm(Good):
    @hookimpl
    def porter_forms(self) -> Sequence[Form]:
        return [TextForm()]


class DatedForm(Form):
    name, title = "dated", "Another text each time"

    def files(self, request: FormRequest) -> Mapping[str, bytes]:
        return {"README.md": f"{id(request)} {{{{ x }}}}".encode()}


class OffersDatedForm(Good):
    @hookimpl
    def porter_forms(self) -> Sequence[Form]:
        return [DatedForm()]


BAD: list[tuple[type, str]] = [
    (OffersFragileForm, "porter_forms: ValueError: max() "),
    (OffersTextForm, "porter_forms: form 'text': its file 'README.md' is str, it must be bytes"),
    (OffersDatedForm, "porter_forms: form 'dated': README.md holds an unfilled place"),
    (OffersNamelessOption, "porter_runtimes: 'optional': option 'two words': letters, digits, _ and - make a name"),
    (OffersProbingRuntime, "porter_runtimes: probe() of 'probing': the value of 'flat' is not the graph's"),
    (WrongType, "porter_preprocess: the array is float64, it must be float32 (image alpha.png)"),
    (WrongShape, "porter_preprocess: the array has shape (16, 16, 3), the spec declares (3, 16, 16)"),
    (Mutating, "porter_preprocess: changes the pixels that it was given"),
    (Nondeterministic, "porter_preprocess: gives another array for the same image a second time"),
    (SharedBuffer, "porter_preprocess: the array of alpha.png changed when later images came"),
    (SwappedChannels, "porter_preprocess: the array differs by up to"),
    (LeftInTraining, "porter_load: plugin 'LeftInTraining': porter_load left 1 modules in training mode (first: bn)"),
    (FunctionalDropout, "porter_load: the model gives another output for the same batch a second time"),
    (BatchStatistics, "porter_load: an image's output depends on the rest of its batch"),
    (RandomWeights, "porter_load: loading twice gives two models with different outputs"),
    (HalfLoaded, "porter_load: the report says that 7 of 9 entries were loaded"),
    (MoreClasses, "porter_describe: output 'class' is declared ('N', 2), the model gives (3, 5) for 3 images"),
    (WrongName, "porter_export: export check failed: outputs are logits, expected class"),
    (BakedBatch, "It is correct at batch 2 only: the graph has a fixed batch size, e.g. in a Reshape"),
    (LosingRows, "porter_postprocess returned 2 predictions, must return a list of 3 predictions, one a row"),
    (BatchwisePredictions, "porter_postprocess: row 0 of a batch of 3 gets another prediction than the same row alone"),
    (ChangingSpec, "porter_describe: two calls with the same request give different specs"),
    (OtherOutputs, "porter_describe: outputs of variant '': 'logits', but porter_models offers that variant with 'cla"),
    (SlowOffers, "porter_models: asking for what the plugin offers imports torch. Import them inside the functions"),
    (UnfilledText, "porter_describe: README.md holds an unfilled place: a text of the spec looks like a template"),
    (FactThatIsNoText, "porter_describe: facts[...]: expected `str`, got `int`"),
    (LeavingInTraining, "porter_export: left the model in training mode: restore the mode that it was in"),
    (OffersDoublingRuntime, "porter_runtimes: run() of 'lying' at batch 1: the output is off by"),
    (NoOffers, "porter_models: returned a list with a value of type str in it, must return a list of ModelOffer"),
    (Misspelt, "porter_preproces: no such hook. Did you mean 'porter_preprocess'?"),
    (StrangeArgument, "porter_export: no argument 'opset'"),
    (Unmarked, "porter_infer: not marked with @porter.hookimpl"),
    (WithoutLoad, "porter_load: not implemented, and core has no default for it"),
    (OffersRuntime, "porter_runtimes: status() of 'raising' raised OSError: no driver; it must not"),
]


@pytest.mark.parametrize(("plugin", "says"), BAD, ids=lambda value: getattr(value, "__name__", ""))
def test_a_bad_plugin_fails(plugin: type, says: str, porter_data: ImageSet, porter_folder: Path) -> None:
    with pytest.raises(ConformanceError) as caught:
        check_conformance(plugin(), "tiny", images=porter_data, folder=porter_folder)
    assert says in str(caught.value)
    # One fault is put down to one hook, or the author searches in the wrong place.
    hooks = {problem.hook for problem in caught.value.problems}
    assert len(hooks) == 1


def test_what_depends_on_a_failure_is_not_checked(porter_data: ImageSet, porter_folder: Path) -> None:
    with pytest.raises(ConformanceError, match="not checked because of that: parity, documents"):
        check_conformance(WrongName(), "tiny", images=porter_data, folder=porter_folder)


HEAVY_MODULE = """
import torch
from lying import Lie, Lying, Outputs
from porter import hookimpl
@hookimpl
def porter_tasks():
    return []
"""


def test_a_module_that_imports_torch_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, porter_data: ImageSet
) -> None:
    (tmp_path / "heavy_plugin_of_a_test.py").write_text(HEAVY_MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    import heavy_plugin_of_a_test  # type: ignore[import-not-found]

    with pytest.raises(
        ConformanceError, match="importing heavy_plugin_of_a_test and asking for what the plugin offers imports torch"
    ):
        check_conformance(heavy_plugin_of_a_test, images=porter_data, folder=tmp_path / "run")


@pytest.mark.parametrize("name", ["onnxruntime", "classification", "defaults"])
def test_core_s_own_plugins_conform(name: str, tmp_path: Path) -> None:
    module = importlib.import_module(f"porter.builtin.{name}")
    registry = create_registry([(module.__name__, module)], disabled=[name])
    check_conformance(module, images=write_image_set(tmp_path), folder=tmp_path / "run", registry=registry)


def test_the_default_fixture_asks_for_a_plugin(tmp_path: Path) -> None:
    test = 'pytest_plugins = ("porter.testing",)\ndef test(porter_conformance):\n    porter_conformance()\n'
    (tmp_path / "test_it.py").write_text(test)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", str(tmp_path), "-p", "no:cacheprovider"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "override the fixture porter_plugin: it returns your plugin's module" in done.stdout
    assert "Warning" not in done.stdout

"""Whose fault it is: what a plugin gives core that does not do there names that plugin and its hook, never core."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import SPEC, TinyPlugin, start, write_photos

from porter import (
    BadInput,
    Image,
    Loaded,
    LoadReport,
    LoadRequest,
    OnnxRuntime,
    OpenRequest,
    PluginError,
    Runtime,
    Session,
    TensorSpec,
    hookimpl,
)
from porter.pipeline.evaluation.infer import infer


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_photos(tmp_path / "val", [0, 1, 2, 0])
    return tmp_path / "val"


def error_of(plugin: object, data: Path, **options: Any) -> str:
    """The one line in which a whole run ends."""
    with pytest.raises(PluginError) as caught:
        start(data.parent / "out", data, data.parent / "labels.txt", plugin=plugin, **options).everything()
    text = str(caught.value)
    assert "\n" not in text and not re.search("plugin '(defaults|classification)'", text)
    return text


def problem_of(plugin: object, data: Path, **options: Any) -> str:
    """What the verdict on parity says of a target that fails, while others could go on."""
    run = start(data.parent / "out", data, data.parent / "labels.txt", plugin=plugin, **options)
    run.everything()
    return run.record.parity[0].outputs[0].problem


def network_of(forward: Any) -> Any:
    import torch

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(1))

        def forward(self, images: Any) -> Any:
            return forward(self, images)

    return Network().eval()


def raising(_self: Any, _images: Any) -> Any:
    raise ValueError("no such\nlayer")


def mismatched(_self: Any, images: Any) -> Any:
    import torch

    return torch.nn.functional.linear(images.flatten(1), torch.ones(3, 5))


def test_a_network_that_raises(data: Path) -> None:
    text = error_of(TinyPlugin(network=network_of(raising)), data)
    assert text.startswith("plugin 'tiny': porter_load gave a module that ")
    assert "ValueError: no such layer (test_faults_of_plugins.py:" in text


def test_a_layer_that_does_not_fit_is_placed_in_the_plugins_own_code(data: Path) -> None:
    text = error_of(TinyPlugin(network=network_of(mismatched)), data)
    assert "RuntimeError: " in text and "(test_faults_of_plugins.py:" in text


def untraceable(self: Any, images: Any) -> Any:
    import torch

    if torch.jit.is_tracing():
        raise LookupError("not while tracing")
    return images.mean((2, 3)) * self.scale


def test_a_network_that_cannot_be_exported(data: Path) -> None:
    text = error_of(TinyPlugin(network=network_of(untraceable)), data)
    assert text.startswith(
        "plugin 'tiny': porter_load gave a module that torch.onnx.export cannot export at opset 11: "
        "LookupError: not while tracing (test_faults_of_plugins.py:"
    )
    assert text.endswith("it must take float32 N×3×16×16 and be traceable")


@pytest.mark.parametrize(
    ("forward", "says"),
    [
        (lambda self, images: (images.mean((2, 3)), self.scale), "returned 2 outputs, the spec names 'class'"),
        (lambda self, images: {"scores": images.mean((2, 3))}, "returned outputs 'scores', the spec names 'class'"),
        (lambda self, images: [None], "returned NoneType as output 'class', not a tensor"),
    ],
)
def test_a_network_that_gives_something_else(data: Path, forward: Any, says: str) -> None:
    run = start(data.parent / "out", data, data.parent / "labels.txt", plugin=TinyPlugin(network=network_of(forward)))
    with pytest.raises(PluginError) as caught:
        infer(run.job, run.job.reference, {"image": np.zeros((2, 3, 16, 16), np.float32)})
    assert str(caught.value) == f"plugin 'tiny': porter_load gave a module that {says}"


def test_outputs_of_another_width_than_the_spec_says(data: Path) -> None:
    wide = network_of(lambda self, images: images.flatten(1)[:, :7] * self.scale)
    run = start(data.parent / "out", data, data.parent / "labels.txt", plugin=TinyPlugin(network=wide))
    outputs = {"class": np.zeros((2, 7), np.float32)}
    with pytest.raises(PluginError) as caught:
        run.job.hooks.postprocess(outputs, SPEC, ())
    assert str(caught.value) == (
        "plugin 'tiny': porter_load gave the output 'class' as 2×7, expected N×3: one score per class"
    )
    assert "plugin 'tiny': porter_load: " in error_of(TinyPlugin(network=wide), data)


class OwnInfer(TinyPlugin):
    @hookimpl
    def porter_infer(self, session: Session, feeds: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        return {"scores": session.run(feeds)["class"]}


def test_an_infer_hook_that_loses_the_output(data: Path) -> None:
    text = error_of(OwnInfer(), data)
    assert text == "plugin 'tiny': porter_infer gave no output 'class', the first in the spec. It gave scores"


class OwnPreprocess(TinyPlugin):
    @hookimpl
    def porter_preprocess(self, sample: Image) -> np.ndarray:
        return np.zeros((3, 8, 8), np.float32)


def test_an_array_that_the_graph_does_not_take(data: Path) -> None:
    assert problem_of(OwnPreprocess(), data) == (
        "plugin 'tiny': porter_preprocess gave float32 3×8×8, but the input 'image' of the spec takes 3×16×16"
    )


def test_ints_for_a_task_that_scores_something_else(data: Path) -> None:
    class Ints(TinyPlugin):
        @hookimpl
        def porter_postprocess(self, outputs: Mapping[str, np.ndarray]) -> list[int]:
            return [int(row.argmax()) for row in outputs["class"]]

    assert error_of(Ints(), data) == (
        "plugin 'tiny': porter_postprocess returned a list with int in it, "
        "must return Classified, which task 'classification' scores"
    )


def test_outputs_that_are_no_numbers(data: Path) -> None:
    class Words(TinyPlugin):
        @hookimpl
        def porter_infer(self, feeds: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
            return {"class": np.array([["a", "b", "c"]] * len(feeds["image"]))}

    assert "plugin 'tiny': porter_infer returned an array of <U1 under 'class'" in error_of(Words(), data)


class Failing(Session):
    def __init__(self, info: Any) -> None:
        self.info = info

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        raise OSError("device lost")


class Second(OnnxRuntime):
    name = "second"

    def build(self, request: Any) -> Any:
        return replace(super().build(request), runtime="second")

    def open(self, request: OpenRequest) -> Session:
        return Failing(replace(super().open(request).info, runtime="second"))


def test_a_session_that_fails_is_its_runtimes_fault(data: Path) -> None:
    class WithRuntime(TinyPlugin):
        @hookimpl
        def porter_runtimes(self) -> list[Runtime]:
            return [Second()]

    text = problem_of(WithRuntime(), data, runtimes=("second",))
    assert text.startswith("plugin 'tiny': run() of runtime 'second' raised OSError: device lost (test_faults")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"module": None}, "Loaded whose module is NoneType, must return a torch.nn.Module there, or a Session as"),
        ({"module": "net.pt"}, "Loaded whose module is str, must return a torch.nn.Module there"),
        ({"module": None, "reference": object()}, "Loaded whose reference is object, must return a Session there"),
    ],
)
def test_a_model_that_is_none(data: Path, given: dict[str, Any], says: str) -> None:
    class Odd(TinyPlugin):
        @hookimpl
        def porter_load(self, request: LoadRequest) -> Loaded:
            report = LoadReport(format="none", safe=True, weights="", expected=0, loaded=0, parameters=0)
            return Loaded(spec=request.spec, report=report, **given)

    assert error_of(Odd(), data).startswith(f"plugin 'tiny': porter_load returned {says}")


def test_a_wrong_opset_is_the_users(data: Path) -> None:
    with pytest.raises(BadInput, match=r"^--opset 7: the exporter writes opset 9 to 20$"):
        start(data.parent / "out", data, data.parent / "labels.txt", opset=7).export()


# --- the spec --------------------------------------------------------------------------------------------------------


def wrong(**changes: Any) -> dict[str, Any]:
    return {"preprocess": replace(SPEC.image, **changes)}


def image(*shape: Any, **fields: Any) -> dict[str, Any]:
    return {"inputs": (TensorSpec(**{"name": "image", "shape": shape, **fields}),)}


def scores(*shape: Any, **fields: Any) -> dict[str, Any]:
    return {"outputs": (TensorSpec(**{"name": "class", "shape": shape, **fields}),)}


def beside(*shape: Any, **fields: Any) -> dict[str, Any]:
    """A second output."""
    return {"outputs": (*SPEC.outputs, TensorSpec(**{"name": "boxes", "shape": shape, **fields}))}


def free(shape: tuple[Any, ...], **changes: Any) -> dict[str, Any]:
    return wrong(fit="long_side", crop=(0, 0), **changes) | image(*shape)


def figures(**figure: Any) -> dict[str, Any]:
    from porter import Published, PublishedMetric

    metrics = (PublishedMetric(**{"name": "top1", "value": 70.0, **figure}),)
    return {"published": Published(source="a paper", dataset="val", images=10, metrics=metrics)}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (wrong(crop=(12, 12)), "preprocess.crop: 12×12 (height×width), but inputs[0].shape is N×3×16×16"),
        (wrong(resize=14), "preprocess.crop: 16×16 (height×width) is larger than the short side after the resize, 14"),
        (wrong(crop=(0, 16)), "preprocess.crop: 0×16 (height×width); at least 1 pixel each"),
        (wrong(resize=-1), "preprocess.resize: -1; at least 1 pixel"),
        (wrong(mean=(0.5,)), "preprocess.mean: 1 values; 3, one a channel"),
        (wrong(std=(0.5, 0.5)), "preprocess.std: 2 values for 3 of preprocess.mean"),
        (wrong(std=(0.5, 0.0, 0.5)), "preprocess.std: 0.0 among its values, which divides a channel"),
        (wrong(mean=(0.5, float("nan"), 0.5)), "preprocess.mean: nan among its values"),
        (wrong(divisor=0.0), "preprocess.divisor: 0.0; the divisor of grey values"),
        (wrong(pad=(256,)), "preprocess.pad: (256,); one grey level of 0 to 255, or 3 of them"),
        (wrong(pad=(0, 0)), "preprocess.pad: (0, 0); one grey level of 0 to 255, or 3 of them"),
        (wrong(multiple=0), "preprocess.multiple: 0; at least 1 pixel"),
        (wrong(box_scale=0.0), "preprocess.box_scale: 0.0; above 0, 1 is the box itself"),
        (wrong(box_scale=float("inf")), "preprocess.box_scale: inf; above 0"),
        (wrong(fit="letterbox", crop=(0, 0)), "preprocess.crop: 0×0 (height×width); at least 1 pixel each"),
        (wrong(fit="box", crop=(16, 0)), "preprocess.crop: 16×0 (height×width); at least 1 pixel each"),
        (wrong(fit="long_side", resize=0), "preprocess.resize: 0; at least 1 pixel"),
        (wrong(fit="stretch"), "preprocess.fit: invalid enum value 'stretch'"),
        (wrong(channels="GRAY"), "preprocess.mean: 3 values; 1, one a channel"),
        (
            wrong(squash=(20, 24)),
            "preprocess.resize: 18; 20, the lesser side of preprocess.squash, goes with it",
        ),
        (
            wrong(crop=(16, 20), squash=(24, 18)),
            "preprocess.crop: 16×20 (height×width) is larger than preprocess.squash, 24×18: every image would get",
        ),
        (
            free(("N", 3, 16, "W")),
            "inputs[0].shape: N×3×16×W; images come as N×3×H×W, of any height and width",
        ),
        (free(("N", 1, "H", "W")), "inputs[0].shape: N×1×H×W; images come as N×3×H×W"),
        (
            image("N", 3, 16, 16, index_column=0),
            "inputs[0]: index_column and counts are of outputs",
        ),
        (
            beside("N", 5, 4, counts="numbers"),
            "outputs[1].counts: 'numbers' is the name of no other output",
        ),
        (beside("N", 5, 4, counts="boxes"), "outputs[1].counts: 'boxes' is the name of no other output"),
        (beside("N", 5, 4, counts="clas"), "is the name of no other output. Did you mean 'class'?"),
        (
            beside("K", 5, index_column=5),
            "outputs[1].index_column: 5; a column where there are two sizes, the shape is K×5",
        ),
        (beside("K", 5, index_column=-1), "outputs[1].index_column: -1; a column where"),
        (beside("K", 5, 4, index_column=0), "where there are two sizes, the shape is K×5×4"),
        (
            beside("K", 5),
            "outputs[1].shape: K×5 has no batch: say by index_column which sample a row belongs to, or fix the batch",
        ),
        (image("N", 4, 16, 16), "inputs[0].shape: N×4×16×16, 4 channels; images come as N×3×16×16"),
        (
            image("N", 16, 16, 3),
            "inputs[0].shape: N×16×16×3; images come as N×3×16×16: transpose them",
        ),
        (image("N", 768), "inputs[0].shape: N×768; images come as N×3×16×16, four sizes (write porter_infer"),
        (
            image("N", 3, 16, 16, dtype="float"),
            "inputs[0].dtype: 'float' is not an ONNX type by its numpy name",
        ),
        (image("N", 3, 16, 16, dtype="flaot32"), "Did you mean 'float32'?"),
        (image("N", 3, 16, 16, name="cl\nass"), r"inputs[0].name: 'cl\nass' cannot name a tensor of an ONNX file"),
        (image("N", 3, 16, 16, name=" "), "inputs[0].name: ' ' cannot name a tensor"),
        (image("N", 3, 16, 16, name="class"), "outputs[0].name: 'class' is the name of inputs[0], too"),
        (image("batch", 3, 16, 16), "inputs[0].shape: the batch is named 'batch'; porter calls it 'N'"),
        (image("N", 3, "N", 16), "inputs[0].shape: 'N' names the batch, which comes first and once"),
        (image("N", 3, 0, 16), "inputs[0].shape: size 0; sizes are positive"),
        (image("N", 3, "h w", 16), "inputs[0].shape: 'h w' is no name of a free size"),
        (image(), "inputs[0].shape: empty; the first size is the batch"),
        (scores("N", 4), "outputs[0].shape: N×4 for num_classes 3 (write porter_postprocess"),
        ({"num_classes": 0, "class_names": ()}, "num_classes: 0; at least 1"),
        ({"num_classes": None, "class_names": ()}, "num_classes: missing; task 'classification' needs it"),
        (figures(name="top-1"), "published.metrics: task 'classification' has no metric 'top-1'. Did you mean 'top1'?"),
    ],
)
def test_a_spec_that_contradicts_itself_is_refused_when_it_is_described(
    data: Path, change: dict[str, Any], says: str
) -> None:
    text = error_of(TinyPlugin(replace(SPEC, **change)), data)
    assert text.startswith("plugin 'tiny': porter_describe: ") and says in text


@pytest.mark.parametrize(
    "change",
    [
        image("N", 3, "H", "W"),
        image(2, 3, 16, 16),
        figures(),
        wrong(crop=(16, 16)),
        {"preprocess": None},
        free(("N", 3, "H", "W"), multiple=32, pad=(1, 2, 3)),
        wrong(fit="letterbox", resize=0, pad=(114,), enlarge=False),
        wrong(fit="box", resize=0, box_scale=1.5),
        wrong(channels="GRAY", mean=(0.5,), std=(0.5,)) | image("N", 1, 16, 16),
        wrong(resize=20, squash=(20, 24)),
        beside("K", 5, index_column=0),
        beside("K", "C", index_column=7),
        beside("N", 5, 4, counts="class"),
        beside("K", 5) | image(1, 3, 16, 16),
    ],
)
def test_a_spec_that_does_is_not(data: Path, change: dict[str, Any]) -> None:
    run = start(data.parent / "out", data, data.parent / "labels.txt", plugin=TinyPlugin(replace(SPEC, **change)))
    assert run.job.spec.name == "tiny"

"""Authors' mistakes that the conformance check of `porter.testing` finds."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import rigged
from rigged import Rig

from porter import (
    Classification,
    Classified,
    Image,
    Item,
    Metric,
    ModelSpec,
    RuntimeOption,
    Scorer,
    TopKScorer,
    classify,
    hookimpl,
    reference_pipeline,
)
from porter.testing import ConformanceError, check_conformance, registry_of, write_image_set

FAULTS = (
    "batch-8",
    "shuffled",
    "last-row",
    "neighbours",
    "place",
    "buffer",
    "before",
    "second-stream",
    "late",
    "random",
    "nan",
)


def plugin(**hooks: Callable[..., Any]) -> SimpleNamespace:
    return SimpleNamespace(**{name: hookimpl(hook) for name, hook in hooks.items()})


def problems(mutant: SimpleNamespace, folder: Path, model: str = "", **options: Any) -> str:
    images = write_image_set(folder)
    with pytest.raises(ConformanceError) as found:
        check_conformance(mutant, model, images=images, folder=folder / "out", registry=registry_of(mutant), **options)
    return "\n".join(f"{problem.hook}: {problem.text}" for problem in found.value.problems)


def test_a_runtime_without_a_fault_conforms(tmp_path: Path) -> None:
    healthy = plugin(porter_runtimes=lambda: [Rig()])
    check_conformance(healthy, images=write_image_set(tmp_path), folder=tmp_path / "out", registry=registry_of(healthy))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_runtime_with_a_fault_is_found(fault: str, tmp_path: Path) -> None:
    class Mutant(Rig):
        options = (RuntimeOption(name="fault", default=fault, help="What it gets wrong."), *Rig.options[1:])

    said = problems(plugin(porter_runtimes=lambda: [Mutant()]), tmp_path)
    assert "porter_runtimes" in said, said


class SkipsUnanswered(TopKScorer):
    def add(self, item: Item, prediction: Any | None) -> float:
        return 0.0 if prediction is None else super().add(item, prediction)


class DropsOne(TopKScorer):
    seen = 0

    def add(self, item: Item, prediction: Any | None) -> float:
        self.seen += 1
        return 0.0 if self.seen == 2 else super().add(item, prediction)


def of_task(scorer: type[TopKScorer] = TopKScorer, prediction: type[Any] = Classified) -> SimpleNamespace:
    """The rigged model, under a task of the mutant's own."""

    class Mutant(Classification):
        name = "mutant"
        prediction_type = prediction

        def scorer(self, spec: Any, manifest: Any) -> Scorer:
            return scorer(spec.num_classes, spec.class_names)

    return of_model(porter_tasks=lambda: [Mutant()])


def of_model(**hooks: Callable[..., Any]) -> SimpleNamespace:
    task = "mutant" if "porter_tasks" in hooks else "classification"
    return plugin(
        porter_models=rigged.porter_models,
        porter_describe=lambda request: dataclasses.replace(rigged.porter_describe(request), task=task),
        porter_load=rigged.porter_load,
        porter_postprocess=lambda outputs, spec: classify(outputs["class"]),
        **hooks,
    )


SHARED = np.empty((3, rigged.SIDE, rigged.SIDE), np.float32)


def shares_a_buffer(sample: Image, spec: ModelSpec) -> np.ndarray:
    return reference_pipeline(sample.pixels, spec.image, SHARED)


def wrong_on_portraits(sample: Image, spec: ModelSpec) -> np.ndarray:
    right = reference_pipeline(sample.pixels, spec.image)
    height, width = sample.pixels.shape[:2]
    return np.roll(right, 1, axis=2) if height > width else right


def test_a_model_without_a_fault_conforms(root: Path, tmp_path: Path) -> None:
    healthy = of_task()
    check_conformance(
        healthy,
        "rigged",
        images=write_image_set(tmp_path),
        folder=tmp_path / "out",
        registry=registry_of(healthy),
        checkpoint=str(root / "plain.pth"),
    )


@pytest.mark.parametrize(
    ("mutant", "hook"),
    [
        (of_task(SkipsUnanswered), "porter_tasks"),
        (of_task(DropsOne), "porter_tasks"),
        (of_task(prediction=Metric), "porter_tasks|porter_postprocess"),
        (of_model(porter_preprocess=shares_a_buffer), "porter_preprocess"),
        (of_model(porter_preprocess=wrong_on_portraits), "porter_preprocess"),
    ],
    ids=["skips-unanswered", "drops-one", "prediction-type", "shared-buffer", "portraits"],
)
def test_a_model_with_a_fault_is_found(mutant: SimpleNamespace, hook: str, root: Path, tmp_path: Path) -> None:
    said = problems(mutant, tmp_path, "rigged", checkpoint=str(root / "plain.pth"))
    assert re.search(hook, said), said

"""Usual alternatives to the declared preprocessing, tried against the labels: a wrong declaration is named, a right one
raises no alarm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tiny import COLOURS, SPEC, TinyPlugin, start, write_photos

from porter import hookimpl
from porter.contracts.requests import Image as Decoded
from porter.diagnose.preprocessing.alternatives import GEOMETRY, GROSS, alternatives
from porter.errors import ExitCode
from porter.images.pipeline import reference_pipeline
from porter.pipeline.evaluation.trying import SIGNIFICANCE, fewest
from porter.pipeline.run import Run
from porter.records.record import State, Verdict
from porter.records.spec import ModelSpec, PreprocessSpec

Fault = Callable[[PreprocessSpec], PreprocessSpec]


def verdict(run: Run, name: str = "preprocessing") -> Verdict:
    return next(one for one in run.record.verdicts if one.name == name)


def said(run: Run) -> str:
    return told(verdict(run))


def told(one: Verdict) -> str:
    return "\n".join(map(str, one.evidence))


def declared(fault: Fault) -> TinyPlugin:
    """The tiny model with another declaration; its weights were trained on the right one."""
    return TinyPlugin(spec=replace(SPEC, preprocess=fault(SPEC.preprocess)))


def with_bgr(spec: PreprocessSpec) -> PreprocessSpec:
    return replace(spec, channels="BGR")


def scored(out: Path, data: Path, labels: Path, **options: Any) -> Run:
    run = start(out, data, labels, **options)
    run.export(), run.verify(), run.evaluate()
    return run


def test_colours_in_the_wrong_order_are_named_with_both_figures(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "val", [k % 3 for k in range(60)])
    run = start(tmp_path / "out", tmp_path / "val", labels, plugin=declared(with_bgr))
    assert run.everything() is ExitCode.VERDICT_FAILED
    assert verdict(run).state is State.FAIL
    assert "with RGB instead of BGR: Top-1 100.0% instead of 33.3% on 60 images" in said(run)
    # An order of the classes that is learned fits as well; it is no cause ahead of colours.
    assert run.record.label_suspects == () and verdict(run, "data").state is State.PASS
    for name in ("README.md", "report.html"):
        assert "RGB instead of BGR" in (tmp_path / "out" / name).read_text()
    assert "RGB（应为 BGR）" in (tmp_path / "out/README.zh.md").read_text()


@pytest.mark.parametrize("count", [1, 4, 12])
def test_of_few_images_nothing_is_said(tmp_path: Path, count: int) -> None:
    labels = write_photos(tmp_path / "val", [k % 3 for k in range(count)])
    run = scored(tmp_path / "out", tmp_path / "val", labels, plugin=declared(with_bgr))
    assert verdict(run).state is State.PASS and "were not tried on labelled images" in said(run)


def test_a_right_declaration_raises_no_alarm(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "val", [k % 3 for k in range(150)])
    lines = [line.rsplit(" ", 1) for line in labels.read_text().splitlines()]
    noisy = [(name, (int(label) + (n % 7 == 0)) % 3) for n, (name, label) in enumerate(lines)]
    labels.write_text("".join(f"{name} {label}\n" for name, label in noisy))
    run = scored(tmp_path / "out", tmp_path / "val", labels)
    assert run.record.tried is not None and not run.record.tried.better and not run.record.tried.reason
    assert verdict(run).state is State.PASS and "none is significantly better" in said(run)


def test_grey_images_cannot_tell_colours_apart(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "val", [k % 3 for k in range(45)])
    for path in (tmp_path / "val").iterdir():
        Image.open(path).convert("L").save(path)
    run = scored(tmp_path / "out", tmp_path / "val", labels, plugin=declared(with_bgr))
    assert verdict(run).state is State.PASS


def test_images_that_exif_turns(tmp_path: Path) -> None:
    """A model that tells the colour of the upper half, on photographs stored on their head."""
    import torch

    class Upper(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return x[:, :, : x.shape[2] // 2].mean((2, 3)) * 4

    folder, lines = tmp_path / "val", []
    folder.mkdir()
    generator = np.random.default_rng(4)
    for number in range(60):
        pixels = generator.integers(0, 30, (24, 24, 3)).astype(np.uint8)
        pixels[:12] += np.array(COLOURS[(number + 1) % 3], np.uint8) // 2  # below, once it is turned
        pixels[12:] += np.array(COLOURS[number % 3], np.uint8) // 2
        exif = Image.Exif()
        exif[0x0112] = 3
        Image.fromarray(pixels).save(folder / f"{number:03}.jpg", quality=95, exif=exif)
        lines.append(f"{number:03}.jpg {number % 3}\n")
    labels = tmp_path / "labels.txt"
    labels.write_text("".join(lines))
    run = scored(tmp_path / "out", folder, labels, plugin=TinyPlugin(network=Upper().eval()))
    assert verdict(run).state is State.FAIL or run.record.label_suspects
    assert "EXIF" in said(run) and "60 of 60 images have an EXIF orientation" in told(verdict(run, "data"))


def test_a_plugin_that_departs_from_its_spec_is_held_against_the_spec(tmp_path: Path) -> None:
    class Other(TinyPlugin):
        @hookimpl
        def porter_preprocess(self, image: Decoded, spec: Any) -> np.ndarray:
            return np.ascontiguousarray(reference_pipeline(image.pixels, spec)[::-1])

    labels = write_photos(tmp_path / "val", [k % 3 for k in range(60)])
    run = scored(tmp_path / "out", tmp_path / "val", labels, plugin=Other())
    assert verdict(run).state is State.FAIL
    assert "with the declared preprocessing: Top-1 100.0% instead of 33.3%" in said(run)


def test_the_labels_of_a_sound_model_are_blamed_before_its_colours(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "val", [k % 3 for k in range(60)])
    lines = [line.rsplit(" ", 1) for line in labels.read_text().splitlines()]
    labels.write_text("".join(f"{name} {(int(label) + 1) % 3}\n" for name, label in lines))
    run = scored(tmp_path / "out", tmp_path / "val", labels)
    assert verdict(run).state is State.PASS and verdict(run, "data").state is State.FAIL


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        (with_bgr, "RGB instead of BGR"),
        (lambda spec: replace(spec, mean=(0.0,) * 3, std=(1.0,) * 3), "ImageNet's mean and std"),
        (lambda spec: replace(spec, channels="BGR", mean=(0.5,) * 3, std=(0.5,) * 3), "RGB instead of BGR"),
    ],
    ids=["colours", "range", "both"],
)
def test_faults_of_the_sample_are_named(tmp_path: Path, fault: Fault, named: str) -> None:
    from porter.contracts.progress import Progress
    from porter.hosting.manager import create_registry
    from porter.pipeline.begin import begin
    from porter.records.request import RunRequest
    from porter_hrnet import plugin

    class Declares:
        @hookimpl(wrapper=True)
        def porter_describe(self) -> Any:
            spec: ModelSpec = yield
            return replace(spec, preprocess=fault(spec.preprocess))

    registry = create_registry([("hrnet", plugin), ("declares", Declares())])
    request = RunRequest(model="hrnet", limit=120)
    run = begin(tmp_path / "out", request, registry, Progress(), "porter run hrnet", fresh=True)
    run.export(), run.verify(), run.evaluate()
    assert verdict(run).state is State.FAIL and run.record.tried is not None
    best = run.record.tried.better[0]
    assert named in str(best.title) and best.value > 90 > best.declared + 20


def test_what_is_tried_depends_on_labels_and_accuracy() -> None:
    spec = PreprocessSpec(resize=256, crop=(224, 224))
    every = alternatives(spec, opencv=True)
    names = [one.suspect.name for one in every]
    assert len(names) == len(set(names)) and set(names) | {"divisor-twice"} >= GROSS
    assert not GROSS & {one.suspect.name for one in alternatives(spec, opencv=True, gross=False)}
    masks = alternatives(spec, opencv=True, geometry=False)
    assert masks and all(GEOMETRY.isdisjoint(one.fields) for one in masks)
    assert "imagenet" not in names and "bgr" in names and "mirrored" in names


def test_the_fewest_wrong_images_are_those_that_could_tell() -> None:
    from porter.machine.statistics import mcnemar_exact

    for count in (1, 15, 24):
        least = fewest(count)
        assert mcnemar_exact(least, 0) * count * 3 <= SIGNIFICANCE < mcnemar_exact(least - 1, 0) * count * 3

"""porter against the other ways to do the same, all in one run and in turns.

Usage: python bench/versus.py [--photos DIR --labels FILE] [--quick] [--out FILE]

Measures preprocessing against a plain loop, pure inference against a bare ONNX Runtime session and OpenVINO's
benchmark_app, and the whole evaluation against the three programs of the Ascend guides and against what this machine
could do at best. Each figure is the median of the rounds, each ratio the median of the rounds' ratios. Writes a page.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from page import Row, write_page
from rivals import bare_session, benchmark_app, guides_way, plain_preprocess

from porter.contracts.progress import Progress
from porter.contracts.requests import Image
from porter.contracts.rows import Rows
from porter.hosting.manager import create_registry
from porter.images.decode import decode
from porter.machine import host as machine
from porter.pipeline.begin import begin
from porter.pipeline.evaluation.evaluate import evaluate, predictions_file
from porter.pipeline.evaluation.executors.base import Work
from porter.pipeline.evaluation.executors.local import Local
from porter.pipeline.evaluation.prepare import readable
from porter.pipeline.evaluation.sources import Sources
from porter.pipeline.evaluation.subject import Subject
from porter.pipeline.job.opening import open_artefact
from porter.pipeline.run import Run
from porter.pipeline.speed.bench import open_for
from porter.pipeline.speed.cycle import batches_of
from porter.pipeline.speed.timing import in_turns as alternating
from porter.pipeline.speed.timing import timed, warm_up
from porter.pipeline.speed.tune import tune
from porter.records.artefact import Artefact
from porter.records.request import BEST_IN_BATCH, RunRequest

T = TypeVar("T")
HERE = Path(__file__).resolve().parent
OUTSIDE = HERE.parents[1] / "shared/data/imagenet-sample"
SEED = 20240229
BATCH = 16


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How much is measured."""

    rounds: int = 5
    seconds: float = 1.0
    """Of one measurement of pure inference."""
    turn_seconds: float = 0.3
    """The same, one call at least, where two ways differ by a percent: what else the machine does must fall on both
    alike."""
    total_seconds: float = 15.0
    """Of all such turns of one way; there are three times `rounds` at least."""
    preprocessed: int = 200
    photos: dict[str, int]
    """Images of one evaluation, by model."""


FULL = Effort(photos={"efficientnet_lite0": 1000, "hrnet": 1000})
QUICK = Effort(
    rounds=3, seconds=0.3, total_seconds=2.0, preprocessed=40, photos={"efficientnet_lite0": 48, "hrnet": 16}
)
INT8 = ("efficientnet_lite0",)
"""Models that are measured end to end in int8 as well."""
SHORT = 10.0
"""Seconds: a shorter evaluation is measured twice as often, since chance weighs more on it."""
PREPROCESSING, BARE_LOOP, BENCHMARK_APP, BOUND = 1.4, 0.98, 1.0, 0.95
GUIDES_WAY = {"efficientnet_lite0": 1.5}
"""Ratios that porter is meant to reach. Where inference takes most of the time, no other way is much slower."""


def main() -> int:
    """Measure everything and write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--photos", type=Path, help="folder of photos [default: ../shared, else the shipped sample]")
    parser.add_argument("--quick", action="store_true", help="fewer rounds and photos: to see that it works")
    parser.add_argument("--out", type=Path, default=HERE.parent / "docs/benchmarks.md", help="the page to write")
    options = parser.parse_args()
    machine.let_threads_sleep()
    effort = QUICK if options.quick else FULL
    photos, origin = photos_of(options.photos)
    load, began = machine.load_average(), time.perf_counter()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as temporary:
        for model in effort.photos:
            say(f"{model}: export and build")
            chosen = photos[: effort.photos[model]]
            run = prepared_run(model, chosen, Path(temporary) / model, ("onnxruntime", "openvino"))
            rows += preprocessing(run, model, photos[: effort.preprocessed], effort)
            onnx, openvino = run.record.artefacts
            rows += against_bare_loop(run, model, onnx, effort)
            rows += against_benchmark_app(run, model, openvino, effort)
            rows += end_to_end(run, model, onnx, effort)
            if model in INT8:
                say(f"{model}: int8")
                run = prepared_run(model, chosen, Path(temporary) / f"{model}-int8", ("onnxruntime",), "int8")
                rows += end_to_end(run, model, run.record.artefacts[0], effort)
    for row in rows:
        if row.missed:
            say(f"missed: {row.what}, against {row.against}: {row.ratio:.2f}, to reach {row.least:g}")
    write_page(options.out, rows, origin, effort.rounds, load, time.perf_counter() - began)
    say(f"{options.out}: written")
    return 0


def photos_of(given: Path | None) -> tuple[list[Path], str]:
    """The photos, and in words where they are from."""
    if given is not None:
        return sorted(path for path in given.iterdir() if path.is_file()), f"{given.name}, as given"
    if (OUTSIDE / "val").is_dir():
        return sorted((OUTSIDE / "val").iterdir()), "the sample of real photos beside the project"
    from porter_hrnet.plugin import SAMPLE

    say("no photos beside the project: the small pictures that ship with the plugin are used")
    return sorted((SAMPLE / "val").rglob("*.*")), "the small pictures that ship with porter-hrnet, not full-size photos"


def prepared_run(
    model: str, photos: list[Path], folder: Path, runtimes: tuple[str, ...], precision: str = "fp32"
) -> Run:
    """The model exported and built, and `photos` as its data. Labels are made up; int8 is calibrated on other images,
    the small ones that ship with porter-hrnet."""
    from porter_hrnet.plugin import SAMPLE

    folder.mkdir()
    data = folder / "photos"
    data.mkdir()
    for number, photo in enumerate(photos):
        shutil.copyfile(photo, data / f"{number:05}{photo.suffix}")
    labels = folder / "labels.txt"
    labels.write_text("".join(f"{file.name} {n % 1000}\n" for n, file in enumerate(sorted(data.iterdir()))))
    files: dict[str, Any] = {}
    if model == "hrnet":
        files = {"config": str(HERE / "hrnet_w18.yaml"), "checkpoint": str(seeded_weights(folder / "weights.pth"))}
    request = RunRequest(
        model=model,
        **files,
        data=str(data),
        labels=str(labels),
        runtimes=runtimes,
        precisions=(precision,),
        calibration=str(SAMPLE / "val") if precision == "int8" else None,
        calibration_images=32,
    )
    run = begin(folder / "out", request, create_registry(), Progress(), "bench/versus.py", fresh=True)
    run.export()
    run.verify()
    return run


def seeded_weights(path: Path) -> Path:
    """A checkpoint of the plugin's network as it is initialised, from a fixed seed."""
    import torch

    from porter_hrnet.config import read_config
    from porter_hrnet.network import HighResolutionNet

    torch.manual_seed(SEED)
    torch.save(HighResolutionNet(read_config(HERE / "hrnet_w18.yaml")).state_dict(), path)
    return path


def preprocessing(run: Run, model: str, photos: list[Path], effort: Effort) -> list[Row]:
    """Processor time of one image on one thread, porter's way and the plain one, on the same bytes in memory."""
    say(f"{model}: preprocessing")
    spec = run.job.spec.image
    contents = [photo.read_bytes() for photo in photos]
    out = np.empty((3, *spec.crop), np.float32)
    for data in contents:
        if porters_preprocess(run, data, out).tobytes() != plain_preprocess(data, spec).tobytes():
            raise SystemExit("porter's tensor is not the plain loop's: the comparison would be of two different things")

    def porter() -> float:
        return cpu_seconds(lambda data: porters_preprocess(run, data, out), contents)

    def plain() -> float:
        def into_row(data: bytes) -> None:
            out[...] = plain_preprocess(data, spec)

        return cpu_seconds(into_row, contents)

    ours, theirs = in_turns(effort.rounds, porter, plain)
    return [
        Row(
            f"{model}, preprocessing, one core",
            "images/s",
            "a plain Pillow and numpy loop, same bytes",
            ours,
            theirs,
            PREPROCESSING,
        )
    ]


def porters_preprocess(run: Run, data: bytes, out: np.ndarray) -> np.ndarray:
    """As porter's workers do it, the hook included."""
    image = Image(id="photo", pixels=decode(data, "photo").pixels)
    [name] = (tensor.name for tensor in run.job.spec.inputs)
    return run.job.hooks.preprocess(image, run.job.spec, {name: out})[name]


def cpu_seconds(work: Callable[[T], object], contents: Sequence[T]) -> float:
    """Images a second of processor time: other programs on the machine change it less than the clock's."""
    began = time.process_time()
    for data in contents:
        work(data)
    return len(contents) / (time.process_time() - began)


def against_bare_loop(run: Run, model: str, artefact: Artefact, effort: Effort) -> list[Row]:
    """Pure inference through porter's hooks and session, and on a session without porter."""
    bare = bare_session(run.job.folder / artefact.path, run.job.threads)
    images = [one.arrays for one in readable(run.job.data, BATCH)]
    return [_against_bare_loop(run, model, artefact, effort, bare, batches_of(images, size)[0]) for size in (1, BATCH)]


def _against_bare_loop(
    run: Run,
    model: str,
    artefact: Artefact,
    effort: Effort,
    bare: Callable[[np.ndarray], np.ndarray],
    feeds: Rows,
) -> Row:
    [batch] = feeds.values()
    size = len(batch)
    say(f"{model}: pure inference, batch {size}")
    with closing(open_artefact(run.job, artefact, batch=size)) as session:

        def porters() -> object:
            return run.job.hooks.infer(session, feeds, run.job.spec)

        def theirs() -> object:
            return bare(batch)

        warm_up(porters, 2.0)
        warm_up(theirs, 2.0)
        seconds = max(effort.turn_seconds, 1 / timed(porters, effort.turn_seconds).rate)
        turns = max(3 * effort.rounds, round(effort.total_seconds / seconds))
        # Each turn is warmed up: threads of the session before still spin, and its weights are in the caches.
        found = alternating({"porter": (porters, 1), "bare": (theirs, 1)}, turns, seconds)
        ours, bare_rates = ([size * one.rate for one in found[way]] for way in ("porter", "bare"))
    return Row(
        f"{model} float32, ONNX Runtime, batch {size}",
        "images/s",
        "a bare loop on a session",
        ours,
        bare_rates,
        BARE_LOOP,
    )


def rate(call: Callable[[], object], size: int, seconds: float, callers: int = 1) -> float:
    """images/s of a call, warmed up before: what ran last has left its own in the caches."""
    timed(call, seconds / 3, callers=callers)
    found = timed(call, seconds, least=3, callers=callers)
    return size * found.rate


def against_benchmark_app(run: Run, model: str, artefact: Artefact, effort: Effort) -> list[Row]:
    """The setting that porter's search finds, and benchmark_app's throughput mode, at batch 1 as that has it."""
    say(f"{model}: against benchmark_app")
    images = [one.arrays for one in readable(run.job.data, BATCH)]
    setting = tune(run.job, artefact, images, seconds=effort.seconds).throughput.best
    seconds = max(2.0, 2 * effort.seconds)
    shape = (1, 3, *run.job.spec.image.crop)
    with closing(open_for(run.job, artefact, setting)) as session:
        feeds = batches_of(images, setting.batch)[0]

        def porters() -> object:
            return run.job.hooks.infer(session, feeds, run.job.spec)

        warm_up(porters, 2.0, callers=setting.callers)
        ours, theirs = in_turns(
            3 * effort.rounds,
            lambda: rate(porters, setting.batch, seconds, setting.callers),
            lambda: benchmark_app(run.job.folder / artefact.path, shape, "f32", seconds),
        )
    queued = f", {setting.queued} queued" if setting.queued else ""
    how = f"{setting.streams} streams, batch {setting.batch}{queued}"
    return [
        Row(
            f"{model} float32, OpenVINO, throughput ({how})",
            "images/s",
            "benchmark_app -hint throughput",
            ours,
            theirs,
            BENCHMARK_APP,
        )
    ]


def end_to_end(run: Run, model: str, artefact: Artefact, effort: Effort) -> list[Row]:
    """Photos to accuracy: porter, the guides' three programs, and what the cores could do if they never waited."""
    say(f"{model}: end to end, {len(run.job.data.items)} photos")
    job = run.job
    items, spec = job.data.items, job.spec.image
    files = [Path(job.data.manifest.root) / item.id for item in items]
    labels = [int(str(item.label)) for item in items]
    bare = bare_session(job.folder / artefact.path, job.threads)
    [batch] = batches_of([one.arrays for one in readable(job.data, BATCH)], BATCH)[0].values()
    out = np.empty((3, *spec.crop), np.float32)

    alone = bare_session(job.folder / artefact.path, 1)

    def bound() -> float:
        infer = min(
            processor_seconds(lambda: bare(batch), BATCH, effort.seconds),
            processor_seconds(lambda: alone(batch[:BEST_IN_BATCH]), BEST_IN_BATCH, effort.seconds),
        )
        prepare = 1 / cpu_seconds(
            lambda file: porters_preprocess(run, file.read_bytes(), out), files[: effort.preprocessed]
        )
        return job.threads / (infer + prepare)

    def porter() -> float:
        return evaluated(run, artefact)

    def guide() -> float:
        return len(files) / seconds_of(lambda: guides_way(files, labels, spec, bare, BATCH))

    bare(batch)
    short = len(files) / evaluated(run, artefact) < SHORT
    ours, theirs, best = in_turns(effort.rounds * (2 if short else 1), porter, guide, bound)
    best = [max(best)] * len(best)  # the least processor time of all rounds: no round can need less
    precision = {"fp32": "float32"}.get(artefact.precision, artefact.precision)
    name = f"{model} {precision}, {len(files)} photos to accuracy"
    return [
        Row(name, "images/s", "the guides' three programs, same session", ours, theirs, GUIDES_WAY.get(model)),
        Row(name, "images/s", "the bound, cores / processor time of an image", ours, best, BOUND),
    ]


def evaluated(run: Run, artefact: Artefact) -> float:
    """images/s of one whole evaluation of one artefact, nothing of an earlier one used, as porter itself reports it:
    from the first image asked for to the last one scored, as the other ways have their sessions open before."""
    shutil.rmtree(run.job.folder / "cache/predictions", ignore_errors=True)
    sources = Sources(run.job, run.record, from_files=False)
    with predictions_file(run.job) as sink:
        work = Work(job=run.job, subject=Subject(artefact=artefact), sources=sources, start=0)
        end_to_end = evaluate(work, Local(), sink).evaluation.end_to_end
    assert end_to_end is not None
    return end_to_end.images_per_second


def processor_seconds(call: Callable[[], object], images: int, seconds: float) -> float:
    """Processor time of one image, of calls on `images` that go on for so long."""
    call()
    calls, began, used = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - began < seconds or not calls:
        call()
        calls += 1
    return (time.process_time() - used) / (calls * images)


def seconds_of(work: Callable[[], object]) -> float:
    """Wall time."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def in_turns(rounds: int, *measures: Callable[[], float]) -> tuple[list[float], ...]:
    """Each measured once in every round, so that what else the machine does falls on all of them. The order rotates."""
    found: tuple[list[float], ...] = tuple([] for _ in measures)
    for turn in range(rounds):
        for place in range(len(measures)):
            which = (turn + place) % len(measures)
            found[which].append(measures[which]())
    return found


def say(text: str) -> None:
    """Progress."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())

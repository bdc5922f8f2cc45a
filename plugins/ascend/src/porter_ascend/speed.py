"""The speed that tools state: each measurement once, and what of their figures does not fit together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from porter import DatasetRun, Doubt, ImportFinding, Latency, Measured, Message, ModuleRate, StatedSpeed, Text, Value
from porter_ascend import aisbench, benchmark, msame
from porter_ascend.figures import batch_in
from porter_ascend.found import Found
from porter_ascend.session import ZEROS, measured_by_ais_bench, measured_by_benchmark, measured_by_msame

CLOSE = 0.01
"""Two figures of one run agree within this share; tools print five or six digits."""
MEANS = 0.10
"""The mean rate times the mean time of an image exceeds 1 by the squared coefficient of variation of the times (a rate
is 1 over a time), so that it is above 1.10 only where times vary by a third."""
SAME = 0.001
"""Two statements of one figure agree within this share."""
APART = 0.05
"""Rates of two runs may differ by this share before it is said."""
IMAGES = Message("the preprocessed images of the data set")
UNKNOWN = Message("not reported")


@dataclass(kw_only=True)
class Speed:
    """All that is known of the speed."""

    stated: list[StatedSpeed] = field(default_factory=list)
    dataset_runs: list[DatasetRun] = field(default_factory=list)
    findings: list[ImportFinding] = field(default_factory=list)
    notes: list[Text] = field(default_factory=list)
    gave: dict[Path, list[Text]] = field(default_factory=dict)
    """What else was taken from each file."""


def speed_of(found: Found) -> Speed:
    """Read the speed out of the folder."""
    speed = Speed()
    figures = [
        *_by_benchmark(found, speed),
        *_by_ais_bench(found, speed),
        *_by_msame(found, speed),
        *_by_interface(found, speed),
    ]
    speed.stated.extend(_each_once(found, figures, speed))
    _compare_runs(found, speed)
    return speed


def _by_benchmark(found: Found, speed: Speed) -> Iterator[StatedSpeed]:
    for report in found.pure_infer:
        content, name = report.content, found.name(report.path)
        if content.batch is None:
            _doubt(speed, Doubt.MISSING, Message("`{file}` states no batch size; ignored", file=name))
            continue
        if content.batch_of_name not in (None, content.batch):
            _doubt(
                speed,
                Doubt.INCONSISTENT,
                Message(
                    "`{file}` is named for batch {named} but contains the model `{model}`; the content was used",
                    file=name,
                    named=content.batch_of_name,
                    model=content.model,
                ),
            )
        yield StatedSpeed(path=report.path, batch=content.batch, measured=_times_fit(content, name, speed))
    if found.pure_infer:
        speed.notes.append(Message("ave_latency of benchmark is the time of one image; it gives no time of a batch"))


def _times_fit(content: benchmark.PureInfer, name: str, speed: Speed) -> Measured:
    """Rate times time of an image is one. Where it is not, and the time is a batch's, that is said."""
    measured = measured_by_benchmark(content)
    product = content.images_per_second * content.latency_ms / 1000
    batch = content.batch or 1
    figures: dict[str, Value] = {
        "file": name,
        "rate": content.images_per_second,
        "latency": content.latency_ms,
        "batch": batch,
    }
    if abs(product - 1) <= MEANS:
        return measured
    if batch > 1 and abs(product / batch - 1) <= MEANS:
        text = Message(
            "`{file}`: ave_latency {latency:g} ms fits {rate:g} images/s as the time of a batch of "
            "{batch}, not of one image as the tool defines it",
            **figures,
        )
        measured = replace(
            measured, latency=Latency(mean_ms=content.latency_ms), ms_per_image=content.latency_ms / batch
        )
    else:
        text = Message(
            "`{file}`: {rate:g} images/s and ave_latency {latency:g} ms contradict each other, per image "
            "and per batch of {batch}",
            **figures,
        )
    _doubt(speed, Doubt.INCONSISTENT, text)
    return measured


def _by_ais_bench(found: Found, speed: Speed) -> Iterator[StatedSpeed]:
    first: dict[tuple[int, bool | None], int] = {}
    for report in (*found.summaries, *found.logs):
        content, name = report.content, found.name(report.path)
        batch = _batch_of(report.path, content, name, speed)
        if batch is None:
            continue
        pure = content.pure if content.pure is not None else _pure_by_name(report.path)
        if content.device is not None and first.setdefault((batch, pure), content.device) != content.device:
            _another_device(speed, report.path, name, content, batch, first[batch, pure])
            continue
        _figures_fit(content, batch, name, speed)
        fed = {True: ZEROS, False: IMAGES, None: UNKNOWN}[pure]
        # How often the tool warmed up is in no report.
        measured = replace(measured_by_ais_bench(content, batch), input=fed, warmup_runs=None)
        yield StatedSpeed(path=report.path, batch=batch, measured=measured)
    if found.summaries or found.logs:
        speed.notes.append(Message("latency of ais_bench covers the chip only, without copies between host and device"))


def _batch_of(path: Path, content: aisbench.AisBench | msame.Msame, name: str, speed: Speed) -> int | None:
    """The batch size by the report, else by a name; a name that says another one is a doubt."""
    named = batch_in(path.name) or batch_in(Path(content.model).stem)
    batch = (content.batch if isinstance(content, aisbench.AisBench) else None) or named
    if batch is None:
        _doubt(speed, Doubt.MISSING, Message("`{file}` states no batch size; ignored", file=name))
    elif named not in (None, batch):
        text = Message(
            "`{file}` was run at batch {batch}, but its name says {named}", file=name, batch=batch, named=named
        )
        _doubt(speed, Doubt.INCONSISTENT, text)
    return batch


def _another_device(speed: Speed, path: Path, name: str, content: aisbench.AisBench, batch: int, first: int) -> None:
    """Several devices ran at once: the speed is that of one, the others are told beside it."""
    note = Message(
        "`{file}`: device {device} of the same run reached {rate:g} images/s at batch {batch}; only the "
        "speed of device {first} was used",
        file=name,
        device=content.device,
        rate=content.images_per_second,
        batch=batch,
        first=first,
    )
    speed.notes.append(note)
    _gave(speed, path, Message("the speed of device {device}", device=content.device))


def _figures_fit(content: aisbench.AisBench, batch: int, name: str, speed: Speed) -> None:
    """The rate is 1000 × batch over the mean time, and as many calls are listed as were counted."""
    if content.npu is None:
        return
    if abs(content.images_per_second / (1000 * batch / content.npu.mean) - 1) > CLOSE:
        text = Message(
            "`{file}`: throughput {rate:g} images/s is not 1000 × {batch} / {mean:g} ms",
            file=name,
            rate=content.images_per_second,
            batch=batch,
            mean=content.npu.mean,
        )
        _doubt(speed, Doubt.INCONSISTENT, text)
    if content.npu.count and content.calls_ms and len(content.calls_ms) != content.npu.count:
        text = Message(
            "`{file}` states {count} calls but lists {listed}; its summary was used",
            file=name,
            count=content.npu.count,
            listed=len(content.calls_ms),
        )
        _doubt(speed, Doubt.INCONSISTENT, text)


def _by_msame(found: Found, speed: Speed) -> Iterator[StatedSpeed]:
    for report in found.msame:
        batch = _batch_of(report.path, report.content, found.name(report.path), speed)
        if batch is not None:
            yield StatedSpeed(path=report.path, batch=batch, measured=measured_by_msame(report.content, batch))
    if found.msame:
        speed.notes.append(Message("msame gives the mean time of a call; throughput is computed from it"))


def _by_interface(found: Found, speed: Speed) -> Iterator[StatedSpeed]:
    """`Interface throughputRate`: the rate of the device while a whole data set went through."""
    for report in found.perf_vision:
        content, name = report.content, found.name(report.path)
        speed.dataset_runs.append(_dataset_run(content, name))
        _gave(speed, report.path, Message("throughput end to end and by module"))
        for module in content.modules:
            rate = module.interface_images_per_second
            if rate is None:
                continue
            if content.batch is None:
                _doubt(speed, Doubt.MISSING, Message("`{file}` states no batch size; ignored", file=name))
                continue
            measured = Measured(
                tool=benchmark.TOOL,
                input=IMAGES,
                latency=Latency(),
                calls=None,
                warmup_runs=None,
                ms_per_image=1000 / rate,
                images_per_second=rate,
            )
            yield StatedSpeed(path=report.path, batch=content.batch, measured=measured)
    if found.perf_vision:
        speed.notes.append(
            Message(
                "latency on benchmark's [e2e] line is the time of the whole data set; Interface "
                "throughputRate is the rate of the device alone"
            )
        )


def _dataset_run(content: benchmark.PerfVision, name: str) -> DatasetRun:
    return DatasetRun(
        source=name,
        batch=content.batch,
        images=round(content.images),
        wall_seconds=content.end_to_end.latency_ms / 1000,
        images_per_second=content.end_to_end.images_per_second,
        modules=tuple(
            ModuleRate(name=one.name, images_per_second=one.images_per_second, ms_per_image=one.latency_ms)
            for one in content.modules
        ),
    )


def _each_once(found: Found, figures: Sequence[StatedSpeed], speed: Speed) -> Iterator[StatedSpeed]:
    """A tool's log and its report state the same run: the first counts, and one that differs is named."""
    kept: list[StatedSpeed] = []
    for figure in figures:
        first = next((one for one in kept if _is_same_run(one, figure)), None)
        if first is None:
            kept.append(figure)
            yield figure
        elif _agree(first, figure):
            _gave(speed, figure.path, Message("speed at batch {batch} (duplicate)", batch=figure.batch))
        else:
            text = Message(
                "batch {batch}: `{first}` states {one:g} images/s, `{second}` {other:g}; the first was used",
                batch=figure.batch,
                first=found.name(first.path),
                second=found.name(figure.path),
                one=first.measured.images_per_second,
                other=figure.measured.images_per_second,
            )
            _doubt(speed, Doubt.INCONSISTENT, text)


def _is_same_run(one: StatedSpeed, other: StatedSpeed) -> bool:
    """Where it is not known what a log was fed, it is that of a run with the same rate, or a run of its own."""
    if (one.batch, one.measured.tool) != (other.batch, other.measured.tool):
        return False
    if UNKNOWN in (one.measured.input, other.measured.input):
        return _agree(one, other)
    return one.measured.input == other.measured.input


def _agree(one: StatedSpeed, other: StatedSpeed) -> bool:
    rates = one.measured.images_per_second, other.measured.images_per_second
    return abs(rates[0] - rates[1]) <= SAME * rates[0]


def _compare_runs(found: Found, speed: Speed) -> None:
    """The same batch size measured in two ways should come out alike."""
    by_batch = sorted(speed.stated, key=lambda figure: figure.batch)
    for one in by_batch:
        for other in by_batch:
            if one.batch != other.batch or one.measured.input != IMAGES or other.measured.input == IMAGES:
                continue
            rates = one.measured.images_per_second, other.measured.images_per_second
            if abs(rates[0] / rates[1] - 1) > APART:
                _doubt(
                    speed,
                    Doubt.INCONSISTENT,
                    Message(
                        "batch {batch}: {one:g} images/s on the data set (`{first}`), {other:g} by pure inference "
                        "(`{second}`)",
                        batch=one.batch,
                        one=rates[0],
                        other=rates[1],
                        first=found.name(one.path),
                        second=found.name(other.path),
                    ),
                )


def _pure_by_name(path: Path) -> bool | None:
    """What the logs of a kit were of; None: not one of them."""
    return True if path.name.startswith("pure_") else False if path.name.startswith("dataset_") else None


def _doubt(speed: Speed, kind: Doubt, text: Message) -> None:
    speed.findings.append(ImportFinding(kind=kind, text=text))


def _gave(speed: Speed, path: Path, what: Message) -> None:
    speed.gave.setdefault(path, []).append(what)

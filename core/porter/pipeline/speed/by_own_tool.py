"""measured: what a runtime's own tool measured, as a record. Its times are taken as they are, never made up."""

from __future__ import annotations

from collections.abc import Sequence

from porter.contracts.measured import Measured
from porter.pipeline.judge.speed_marks import marks_of_tool
from porter.pipeline.speed.call_levels import two_levels
from porter.pipeline.speed.timing import is_steady, latency_of
from porter.records.artefact import SessionInfo
from porter.records.performance import Card, Performance


def performance_of(
    artefact: str,
    info: SessionInfo,
    batch: int,
    found: Measured,
    *,
    source: str = "",
    devices_per_card: int | None = None,
) -> Performance:
    """The record of one measurement by a tool; `source` is the file that it was imported from."""
    single = [ms / 1000 for ms in found.calls_ms]
    latency = latency_of(single) if single else found.latency
    rate, devices = found.images_per_second, devices_per_card
    return Performance(
        artefact=artefact,
        session=info,
        batch=batch,
        input=found.input,
        load_ms=None,
        first_run_ms=None,
        warmup_runs=found.warmup_runs,
        calls=found.calls,
        latency=latency,
        ms_per_image=1000 / rate,
        tool_ms_per_image=found.ms_per_image,
        images_per_second=rate,
        steady=_steady(single),
        levels=two_levels(single),
        marks=marks_of_tool(info, batch, latency, rate, found.ms_per_image, found.copies),
        clock=found.tool,
        copies=found.copies,
        source=source,
        card=None if devices is None else Card(devices=devices, images_per_second=devices * rate),
    )


def _steady(times: Sequence[float]) -> bool | None:
    return is_steady(times) if len(times) > 1 else None

"""measured: what a runtime's own tool measured, as a record. Its times are taken as they are, never made up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from porter.contracts.measured import Measured
from porter.pipeline.speed.timing import is_steady, latency_of
from porter.records.artefact import SessionInfo
from porter.records.performance import Performance


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where imported figures come from."""

    source: str = ""
    devices_per_card: int | None = None


MEASURED_HERE = Provenance()


def performance_of(
    artefact: str, info: SessionInfo, batch: int, found: Measured, provenance: Provenance = MEASURED_HERE
) -> Performance:
    """The record of one measurement by a tool."""
    single = [ms / 1000 for ms in found.calls_ms]
    devices = provenance.devices_per_card
    return Performance(
        artefact=artefact,
        session=info,
        batch=batch,
        input=found.input,
        load_ms=None,
        first_run_ms=None,
        warmup_runs=found.warmup_runs,
        calls=found.calls,
        latency=latency_of(single) if single else found.latency,
        ms_per_image=found.ms_per_image,
        images_per_second=found.images_per_second,
        steady=_steady(single),
        clock=found.tool,
        copies=found.copies,
        source=provenance.source,
        devices_per_card=devices,
        card_images_per_second=None if devices is None else devices * found.images_per_second,
    )


def _steady(times: Sequence[float]) -> bool | None:
    return is_steady(times) if len(times) > 1 else None

"""The speed of an import: what the tools state, as records, and the batch sizes that nothing states."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from porter.contracts.returned import Returned
from porter.importing.import_request import ImportRequest
from porter.importing.imported_names import artefact_name, shown
from porter.pipeline.speed.by_own_tool import performance_of
from porter.records.imported import Doubt, ImportFinding
from porter.records.message import Message
from porter.records.performance import Performance


def speed_of(request: ImportRequest, returned: Returned) -> tuple[Performance, ...]:
    """A record for each measurement, by batch size."""
    info = returned.session
    found = [
        performance_of(
            f"{artefact_name(info)}-bs{one.batch}",
            replace(info, batch=one.batch, provider=f"{info.provider}, through {one.measured.tool}"),
            one.batch,
            one.measured,
            source=shown(request.folder, one.path),
            devices_per_card=request.devices_per_card,
        )
        for one in returned.speeds
    ]
    return tuple(sorted(found, key=lambda one: (one.batch, str(one.input))))


def unmeasured(
    request: ImportRequest, returned: Returned, performance: Sequence[Performance]
) -> Iterator[ImportFinding]:
    """A finding for each batch size that should have been measured: as the user says, else as the kit does."""
    measured = {one.batch for one in performance}
    for batch in request.batch_sizes or returned.batches:
        if batch not in measured:
            text = Message("no report gives the speed at batch {batch}", batch=batch)
            yield ImportFinding(kind=Doubt.MISSING, text=text)

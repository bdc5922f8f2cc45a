"""listing: the manifest of a job, as the record has it."""

from __future__ import annotations

from porter.data.content import manifest_sha256
from porter.pipeline.job.job import Job
from porter.records.record import DataReport


def listing(job: Job) -> DataReport:
    """What the images are, before the first of them is read."""
    manifest = job.manifest
    return DataReport(
        root=job.request.data or "shipped with the plugin",
        found=manifest.found,
        listed=len(manifest.items),
        selection=manifest.selection,
        labels_from=manifest.labels_from,
        label_offset=manifest.label_offset,
        manifest_sha256=manifest_sha256(manifest),
        kept_apart=len(manifest.kept_apart),
        warnings=manifest.warnings,
    )

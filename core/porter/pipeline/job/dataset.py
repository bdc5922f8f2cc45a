"""The data part of a job: the images that it is done on, and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from porter.contracts.task import DataRequest
from porter.data.content import manifest_sha256
from porter.errors import BadInput
from porter.pipeline.job.targets import int8_obstacle, takes_int8_graph
from porter.records.manifest import Item, Manifest
from porter.records.record import DataReport

if TYPE_CHECKING:
    from porter.pipeline.job.job import Job

ONLY_TOGETHER = " (the shipped images go only with the shipped model)"


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images in an order that never changes, for one job. The same job on other images is another `Dataset`."""

    job: Job
    manifest: Manifest

    @property
    def items(self) -> tuple[Item, ...]:
        """Every image with its label."""
        return self.manifest.items

    @cached_property
    def manifest_sha256(self) -> str:
        """Of the list of images and labels, not of what the images show."""
        return manifest_sha256(self.manifest)

    @cached_property
    def report(self) -> DataReport:
        """What the images are, before the first of them is read, as the record has it."""
        manifest = self.manifest
        return DataReport(
            root=self.job.request.data or "shipped with the plugin",
            found=manifest.found,
            listed=len(manifest.items),
            selection=manifest.selection,
            labels_from=manifest.labels_from,
            label_offset=manifest.label_offset,
            manifest_sha256=self.manifest_sha256,
            kept_apart=len(manifest.kept_apart),
            warnings=manifest.warnings,
        )


def asked_for(job: Job) -> Dataset:
    """The images that the request names, as the model's task lists them. Raises `BadInput` where there are none."""
    files = job.files
    if files.data is None:
        only = "" if job.offer.shipped is None or job.offer.shipped.data is None else ONLY_TOGETHER
        raise BadInput(f"no images: give --data DIR and --labels FILE{only}")
    keep_apart = job.request.calibration_images if _keeps_apart(job) else 0
    manifest = job.task.manifest(
        DataRequest(
            root=files.data,
            spec=job.spec,
            labels=files.labels,
            class_map=files.class_map,
            label_offset=job.request.label_offset,
            limit=job.request.limit,
            keep_apart=keep_apart,
        )
    )
    if keep_apart and not manifest.kept_apart:
        raise BadInput(f"task {job.task.name!r} keeps no images apart to calibrate int8 on: give --calibration DIR")
    return Dataset(job, manifest)


def _keeps_apart(job: Job) -> bool:
    """Whether images must be left out of what is scored, to calibrate on."""
    if job.request.calibration is not None:
        return False
    if any(precision in runtime.calibrates for runtime, precision in job.targets):
        return True
    wanted = job.request.is_auto or any(takes_int8_graph(*pair) for pair in job.targets)
    return wanted and not int8_obstacle(job.spec)

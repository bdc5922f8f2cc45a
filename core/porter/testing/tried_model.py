"""What the conformance check examines: one model of one plugin, with images to run it on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from porter.contracts.progress import Progress
from porter.contracts.requests import Source
from porter.contracts.rows import stacked
from porter.data.noting import Noting
from porter.data.store import open_store
from porter.hosting.registry import Registry
from porter.pipeline.begin import begin
from porter.pipeline.diagnosis.conditions import alike
from porter.pipeline.evaluation.prepare import readable
from porter.pipeline.evaluation.shapes import Prepared, source_of
from porter.pipeline.job.job import Job
from porter.pipeline.run import Run
from porter.records.request import RunRequest

if TYPE_CHECKING:
    import numpy as np

ROWS = 3
"""Images of the batch that outputs and predictions are examined on."""


@dataclass(frozen=True)
class Problem:
    """Something that a plugin does wrongly."""

    hook: str
    """The hook that does it."""
    text: str
    """What it does, and what to do."""

    def __str__(self) -> str:
        return f"{self.hook}: {self.text}"


@dataclass
class Subject:
    """The plugin, its model, and what the checks share. The expensive parts are made when they are first needed."""

    plugin: object
    name: str
    """The plugin's name in the registry."""
    registry: Registry
    model: str
    """Empty for a plugin that offers no model."""
    request: RunRequest
    folder: Path

    @cached_property
    def run(self) -> Run:
        return begin(self.folder, self.request, self.registry, Progress(), "porter.testing", fresh=True)

    @property
    def job(self) -> Job:
        return self.run.job

    def offered(self, hook: str) -> list[Any]:
        """What the plugin answers to one of the hooks that ask for offers."""
        callers = getattr(self.registry.manager.hook, hook).get_hookimpls()
        return [offer for caller in callers if caller.plugin_name == self.name for offer in caller.function() or ()]

    def another_job(self) -> Job:
        """The same job again, with nothing loaded yet."""
        return Job(folder=self.folder, request=self.request, registry=self.registry)

    @cached_property
    def samples(self) -> list[tuple[str, Any]]:
        """Every readable sample of the set as `porter_read` gives it, with its identifier."""
        from porter.errors import ImageError

        found, job = [], self.job
        store = open_store(job.data.manifest.root)
        for item in job.data.items:
            try:
                found.append((item.id, job.hooks.read(item, Noting(store, item), job.spec)))
            except ImageError:
                continue
        return found

    @cached_property
    def chosen(self) -> list[Prepared]:
        """ROWS samples of the set, preprocessed, of one size."""
        same = alike(readable(self.job.data, ROWS))
        return [same[k % len(same)] for k in range(ROWS)]

    @property
    def batch(self) -> dict[str, np.ndarray]:
        """ROWS rows of every input."""
        return stacked([one.arrays for one in self.chosen])

    @property
    def sources(self) -> list[Source]:
        """What each row of `batch` was made from."""
        return [source_of(one, self.job.data.items) for one in self.chosen]


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that a conforming plugin does."""

    name: str
    hook: str
    """What an error that the check itself does not expect is put down to."""
    find: Callable[[Subject], Iterator[Problem]]
    needs: tuple[str, ...] = ()
    """Checks without which this one says nothing."""
    of_model: bool = True
    """False: made of a plugin that offers no model, too."""

"""preflight: everything that can be wrong and is cheap to see, before the first expensive step."""

from __future__ import annotations

import math

from porter.documents.form_folder import require_fitting
from porter.errors import BadInput
from porter.hosting.guard import guarded
from porter.machine import host as machine
from porter.pipeline.job.chips import require_chips_known, require_chips_used
from porter.pipeline.job.job import Job
from porter.pipeline.job.runtime_options import options_of, require_known
from porter.pipeline.job.targets import require_target


def preflight(job: Job) -> None:
    """Raise `BadInput`, `Missing` or `PluginError` where the job cannot be done as it was asked for."""
    job.threads, job.files, job.spec, job.task  # noqa: B018 - each is made, or raises, on first use
    if job.request.form is not None:
        require_fitting(job.registry.form(job.request.form), job.spec.task)
    require_known(job.request.options, job.runtimes)
    require_chips_known(job.request.targets, job.runtimes)
    for runtime in job.runtimes:
        options_of(runtime, job.request.options)
    chips = {}
    for runtime, precision in job.targets:
        chips[runtime.name] = require_target(runtime, precision, job.request, job.registry)
    for runtime, precision in job.plan.elsewhere:
        chips[runtime.name] = require_target(runtime, precision, job.request, job.registry, here=False)
    require_chips_used(job.request.targets, chips)
    job.data  # noqa: B018
    _require_memory(job)
    _prepare(job)


def _prepare(job: Job) -> None:
    """Have every runtime make ready what it needs here; `auto` leaves out what cannot be made, when it builds."""
    here = () if job.request.is_auto else tuple(dict.fromkeys(runtime.name for runtime, _ in job.targets))
    for name in here:
        plugin = job.registry.provider_of("runtime", name)
        guarded(job.registry.runtime(name), plugin, f"runtime {name!r}").prepare(job.progress)


def _require_memory(job: Job) -> None:
    """Stop where the largest batch alone takes more memory than is free: what follows could end the process."""
    free = machine.free_memory()
    sizes = [[size for size in tensor.shape[1:] if isinstance(size, int)] for tensor in job.spec.inputs]
    image = sum(4 * math.prod(one) for one in sizes)  # preprocessed as float32
    wanted = {"--batch-sizes": max(job.request.batch_sizes)}
    wanted["--batch"] = min(job.request.evaluation_batch, len(job.data.items))
    for option, batch in wanted.items():
        if free is not None and batch * image > free:
            raise BadInput(
                f"{option} {batch}: the input alone needs {batch * image / 2**30:.1f} GiB, "
                f"{free / 2**30:.1f} GiB are free. Use a smaller batch"
            )

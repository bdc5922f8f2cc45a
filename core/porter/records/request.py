"""What the user asked for. Kept in the record, so that a stage that runs alone works on the same files."""

from __future__ import annotations

import math
from dataclasses import dataclass

MOST_IN_BATCH, BEST_IN_BATCH = 16, 8
"""Images that an evaluation infers at once unless it is told: more take memory, and win nothing on processors."""


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """Every option of a run, with its default. Paths are as typed."""

    model: str
    """Name of the model."""
    config: str | None = None
    """The model's config."""
    checkpoint: str | None = None
    """The model's weights."""
    checkpoint_sha256: str | None = None
    """Digest that the checkpoint must have."""
    checkpoint_md5: str | None = None
    """Digest that the checkpoint must have, as model zoos publish it."""
    weights: str | None = None
    """Which weights of the checkpoint; None: the trained ones, or their average where there is nothing else."""
    trust_checkpoint: bool = False
    """Whether the checkpoint may be unpickled."""
    data: str | None = None
    """Folder of images."""
    labels: str | None = None
    """Label file, or what else the task takes."""
    class_map: str | None = None
    """File that gives class folders their index."""
    label_offset: int = 0
    """Subtracted from every label."""
    limit: int | None = None
    """Number of images to take, evenly spaced; None: all."""
    opset: int | None = None
    """None: the opset that the model comes with, or else 11, the newest that every target takes."""
    runtimes: tuple[str, ...] = ()
    """Runtimes to build for; none: onnxruntime, and with `auto` every runtime that is installed."""
    precisions: tuple[str, ...] = ("fp32",)
    """Precisions of the artefacts; `auto` alone: what the runtimes offer is tried, and the fastest right one chosen."""
    targets: tuple[str, ...] = ()
    """Chips to build for, as their compilers name them: `NAME` for every runtime, or `RUNTIME=NAME`; only some runtimes
    need one."""
    options: tuple[str, ...] = ()
    """Options of runtimes' own: `RUNTIME.NAME=VALUE`."""
    calibration: str | None = None
    """Folder of images to calibrate int8 on; None: images of `data` that are kept apart from those scored."""
    calibration_images: int = 128
    """How many of them at most."""
    search_seconds: float = 600.0
    """Time after which the search for an int8 artefact that passes stops."""
    provider: str | None = None
    """Execution provider or device; None: the runtime's default."""
    threads: int | None = None
    """Threads of a session; None: the processors that this process may use."""
    streams: int | None = None
    """Batches that a session runs at once; None: one where it is measured, as many as there are processors, up to 4,
    where it is evaluated."""
    atol: float | None = None
    """Absolute part of the parity tolerance; None: by precision."""
    rtol: float | None = None
    """Relative part of the parity tolerance; None: by precision."""
    batch: int | None = None
    """Batch size of the evaluation; None: that of `batch_sizes` up to 16 which is nearest to 8."""
    max_drop: float = 1.0
    """Percentage points that the gate metric may lose."""
    batch_sizes: tuple[int, ...] = (1, 4, 8, 16, 32)
    """Batch sizes to measure."""
    bench_seconds: float = 3.0
    """Least time of the timed calls, for each batch size."""
    bench_input: str = "images"
    """`images` or `random`."""
    tune: bool = False
    """Whether threads, streams and batch are searched for what is fastest here."""
    languages: tuple[str, ...] = ("en", "zh")
    """Languages of the delivery README."""
    form: str | None = None
    """Form in which the documents are written as well, to a folder of its name; None: porter's own alone."""
    host_facts: str | None = None
    """File that states what porter cannot read of the host, see `RunRecord.host_facts`."""
    plugin_files: tuple[str, ...] = ()
    """Files that were loaded as plugins beside the installed ones. Never loaded because a record names them."""

    def __post_init__(self) -> None:
        """Raise ValueError for a count below one: run.json is read from disk, and might have been edited by hand."""
        counts = {"limit": self.limit, "threads": self.threads, "batch": self.batch, "streams": self.streams}
        counts["calibration_images"] = self.calibration_images
        counts["batch_sizes"] = min(self.batch_sizes, default=0)
        for name, value in counts.items():
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1")

    @property
    def is_auto(self) -> bool:
        """Whether precision and runtime are to be chosen."""
        return "auto" in self.precisions

    def target_of(self, runtime: str) -> str | None:
        """The chip that was named for a runtime, or for all of them; None: none."""
        named = dict(text.split("=", 1) for text in self.targets if "=" in text)
        return named.get(runtime) or next((text for text in self.targets if "=" not in text), None)

    @property
    def evaluation_batch(self) -> int:
        """The batch size of the evaluation."""
        if self.batch is not None:
            return self.batch
        sizes = [size for size in self.batch_sizes if size <= MOST_IN_BATCH] or [min(self.batch_sizes)]
        return min(sizes, key=lambda size: abs(math.log2(size / BEST_IN_BATCH)))

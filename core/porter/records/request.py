"""What the user asked for. Kept in the record, so that a stage that runs alone works on the same files."""

from __future__ import annotations

from dataclasses import dataclass, field

from porter.records.parity import Tolerance


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """Every option of a run, with its default. Paths are as typed."""

    model: str
    config: str | None = None
    checkpoint: str | None = None
    checkpoint_sha256: str | None = None
    checkpoint_md5: str | None = None
    weights: str | None = None
    trust_checkpoint: bool = False
    data: str | None = None
    labels: str | None = None
    class_map: str | None = None
    label_offset: int = 0
    limit: int | None = None
    opset: int | None = None
    """None: the opset that the model comes with, or else 11, the newest that every target takes."""
    runtimes: tuple[str, ...] = ("onnxruntime",)
    precision: str = "fp32"
    provider: str | None = None
    threads: int | None = None
    """Threads of a session; None: the processors that this process may use."""
    tolerance: Tolerance = field(default_factory=Tolerance)
    batch: int | None = None
    """Batch size of the evaluation; None: the largest of `batch_sizes` up to 16."""
    max_drop: float = 1.0
    """Percentage points that the gate metric may lose."""
    batch_sizes: tuple[int, ...] = (1, 4, 8, 16, 32)
    bench_seconds: float = 3.0
    """Least time of the timed calls, for each batch size."""
    bench_input: str = "images"
    """`images` or `random`."""

    @property
    def evaluation_batch(self) -> int:
        """The batch size of the evaluation."""
        if self.batch is not None:
            return self.batch
        return max((size for size in self.batch_sizes if size <= 16), default=min(self.batch_sizes))

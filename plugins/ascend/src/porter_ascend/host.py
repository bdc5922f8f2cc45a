"""What of the Ascend tools a machine has."""

from __future__ import annotations

from dataclasses import dataclass

from porter_ascend.chip import chips_here
from porter_ascend.toolkit import BENCHMARK_VARIABLE, INSTALL, Toolkit, benchmark_tool


@dataclass(frozen=True, kw_only=True)
class Host:
    """The tools of this machine."""

    toolkit: Toolkit
    has_atc: bool
    has_ais_bench: bool
    benchmark: str | None
    """Path of the older tool."""
    chips: tuple[str, ...]
    """Names of the chips, as `npu-smi info` shows them."""

    @classmethod
    def find(cls) -> Host:
        """Look for everything. Runs at most three short programs; raises `BadInput` where a variable is wrong."""
        toolkit = Toolkit.find()
        return cls(
            toolkit=toolkit,
            has_atc=toolkit.has_atc(),
            has_ais_bench=toolkit.has_ais_bench(),
            benchmark=benchmark_tool(),
            chips=chips_here(),
        )

    @property
    def complete(self) -> bool:
        """Whether a model can be built and run here."""
        return self.has_atc and (self.has_ais_bench or self.benchmark is not None)

    def lacks(self) -> str:
        """What is missing, and how to get it, in words."""
        missing = [] if self.has_atc else ["atc (CANN)"]
        if not self.has_ais_bench and self.benchmark is None:
            missing.append("ais_bench or benchmark")
        return f"this machine lacks {' and '.join(missing)}: {INSTALL}"

    def details(self) -> tuple[str, ...]:
        """Each part in words."""
        version = self.toolkit.version()
        return (
            f"atc: {'found' if self.has_atc else 'not found'}{f', CANN {version}' if version else ''}"
            + (f", environment from {self.toolkit.script}" if self.toolkit.script else ""),
            f"npu-smi: {', '.join(self.chips) if self.chips else 'shows no chip'}",
            f"ais_bench: {'found' if self.has_ais_bench else 'not found'}",
            f"benchmark: {self.benchmark or f'neither on PATH nor named by {BENCHMARK_VARIABLE}'}",
        )

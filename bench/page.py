"""docs/benchmarks.md: one table, the machine, and how it was measured."""

from __future__ import annotations

import datetime
import statistics
from dataclasses import dataclass
from pathlib import Path

from porter.machine import host as machine


@dataclass(frozen=True)
class Row:
    """porter and another way, measured in turns; the n-th values of both are of the same round."""

    what: str
    unit: str
    against: str
    porter: list[float]
    other: list[float]
    least: float | None = None
    """Ratio that porter is meant to reach; None: none is set."""

    @property
    def ratios(self) -> list[float]:
        """Of each round."""
        return [ours / theirs for ours, theirs in zip(self.porter, self.other, strict=True)]

    @property
    def ratio(self) -> float:
        """Their median."""
        return statistics.median(self.ratios)

    @property
    def missed(self) -> bool:
        """Whether it stays below what it is meant to reach."""
        return self.least is not None and self.ratio < self.least

    def line(self) -> str:
        """As a line of the table."""
        ours, theirs = statistics.median(self.porter), statistics.median(self.other)
        spread = f"{min(self.ratios):.2f} to {max(self.ratios):.2f}"
        aim = "" if self.least is None else f"{self.least:g}, {'missed' if self.missed else 'reached'}"
        return f"| {self.what} | {ours:.1f} | {self.against} | {theirs:.1f} | **{self.ratio:.2f}** | {spread} | {aim} |"


def write_page(
    path: Path, rows: list[Row], photos: str, rounds: int, load_before: float | None, seconds: float
) -> None:
    """Write the page."""
    here = machine.describe()
    packages = ", ".join(f"{name} {version}" for name, version in here.packages.items())
    limits = f"{here.affinity_cpus} usable" + (f", quota {here.cgroup_cpus:g}" if here.cgroup_cpus else "")
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench`; do not edit. porter is compared with other ways to do the same, in one run on one",
        f"machine. Each way was measured once in each of at least {rounds} rounds, in rotating order, pure inference",
        "after a warm-up. A throughput is the median of the rounds, a ratio the median of the ratios per round, with",
        "minimum and maximum. So a ratio can differ from the quotient of the medians. Above 1, porter is faster.",
        "",
        "| what | porter, images/s | against | images/s | ratio | range | target |",
        "| --- | ---: | --- | ---: | ---: | --- | --- |",
        *(row.line() for row in rows),
        "",
        _aims(rows),
        "",
        f"Photos: {photos}.",
        "",
        "EfficientNet-Lite0 has its published weights; HRNet-W18 has the published size and",
        "random weights from a fixed seed, which changes no time. Preprocessing is processor time on one thread, the",
        "rest is time by the clock. The bound is the rate at which all cores are busy with the least processor time",
        "that an image needs in any round: inference (batch 16 on all cores, or 8 on one) and preprocessing from the",
        "file on. No evaluation can be faster. porter evaluates with its own defaults, the other ways in batches of",
        "16. Sessions are open before the clock starts, on every side.",
        "",
        f"- date: {datetime.date.today().isoformat()}; took {seconds / 60:.0f} min",
        f"- processor: {here.cpu}, {here.logical_cpus} logical, {limits}; governor {here.governor}",
        f"- memory: {here.memory_gib} GiB; {here.os}; Python {here.python}",
        f"- load average before {load_before} and after {machine.load_average()}",
        f"- JPEGs decoded by {here.jpeg_decoder}",
        f"- {packages}",
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _aims(rows: list[Row]) -> str:
    """What was missed, by name; else how many were reached."""
    aimed = [row for row in rows if row.least is not None]
    missed = [
        f"{row.what} against {row.against} ({row.ratio:.2f}, to reach {row.least:g})" for row in aimed if row.missed
    ]
    reached = f"Reached: {len(aimed) - len(missed)} of {len(aimed)} aims."
    return reached + (f" Missed: {'; '.join(missed)}." if missed else " Missed: none.")

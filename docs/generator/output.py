"""docs/reference/json-output.md: what commands print with `--json` that is no summary of a run."""

from __future__ import annotations

from generator import markdown as md
from generator import record
from generator.source import closure
from porter.records import cached, comparison, environment_report, predicted

ROOTS = {
    "RunComparison": ("porter compare", comparison, comparison.COMPARISON_VERSION),
    "PredictionReport": ("porter predict", predicted, predicted.PREDICTED_VERSION),
    "CacheReport": ("porter cache", cached, cached.CACHE_VERSION),
    "EnvironmentReport": ("porter env list", environment_report, environment_report.ENVIRONMENTS_VERSION),
}
"""Class: the command that prints it with `--json`, where it is defined, and the version of its schema."""


def page() -> str:
    """The page. Classes that the run record has as well are described there."""
    own = [cls for cls in closure(ROOTS) if cls.module in {module.__name__ for _, module, _ in ROOTS.values()}]
    names = [cls.name for cls in own]
    parts = []
    for cls in own:
        if cls.name in ROOTS:
            command, _, version = ROOTS[cls.name]
            parts.append(f"`{command} --json` prints one `{cls.name}`, version {version}.")
        parts.append(record.section(cls, names))
    return md.page(
        "JSON output",
        "One JSON document on stdout, UTF-8. A figure that is not there is `null`, never 0. Types that are not on this "
        "page are those of the [run record](run-record.md).",
        *parts,
    )

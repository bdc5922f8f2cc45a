"""The comparison as one self-contained page, in the style of report.html."""

from __future__ import annotations

from porter.documents.templates import Templates, render_template
from porter.records.comparison import RunComparison

TEMPLATE = "compare.html.j2"


def page(comparison: RunComparison) -> str:
    """The page; it loads nothing and runs nothing but its own sorting of tables."""
    return render_template(TEMPLATE, Templates(), {"comparison": comparison})

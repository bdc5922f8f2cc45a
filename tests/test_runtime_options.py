"""porter.pipeline.job.runtime_options: what `--option` takes."""

from __future__ import annotations

import pytest
from elsewhere import Elsewhere

from porter.contracts.runtime import RuntimeOption
from porter.errors import BadInput
from porter.pipeline.job.runtime_options import options_of, require_known


class Tuned(Elsewhere):
    name = "tuned"
    options = (
        RuntimeOption(name="share", default=0.5, help="A share."),
        RuntimeOption(name="mode", default="fast", help="A mode.", choices=("fast", "small")),
    )


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (["tuned.share"], "not RUNTIME.NAME=VALUE"),
        (["tuned.share=nan"], "share must be a finite number"),
        (["tuned.mode=quick"], "mode must be one of fast, small"),
        (["tuned.shares=1"], "has no option 'shares', available: share, mode"),
        (["other.share=1"], "this run does not use runtime 'other'. Runtimes: tuned"),
        (["tuned.share=1", "tuned.share=2"], "given twice, first as tuned.share=1. Give it once"),
    ],
)
def test_a_wrong_one_is_named(given: list[str], problem: str) -> None:
    with pytest.raises(BadInput) as raised:
        require_known(given, [Tuned()])
        options_of(Tuned(), given)
    assert problem in str(raised.value)


def test_what_is_not_given_has_its_default() -> None:
    assert options_of(Tuned(), ["tuned.share=0.25"]) == {"share": 0.25, "mode": "fast"}

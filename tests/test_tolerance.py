"""Bounds of parity by precision, and what a miss means where the bound is an estimate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from tiny import start, write_photos

from porter.contracts.runtime import Session
from porter.pipeline.judge.tolerance import Bound, bound_for
from porter.pipeline.judge.verdicts import judge
from porter.pipeline.run import Run
from porter.pipeline.verify import sample, verify
from porter.records.artefact import SessionInfo
from porter.records.message import Message
from porter.records.parity import Parity, Tolerance
from porter.records.precision import PRECISIONS
from porter.records.record import State
from porter.records.request import RunRequest

PLAIN = RunRequest(model="any")
ESTIMATE = Bound(tolerance=Tolerance(atol=0.0, rtol=1e-3), source="estimated", binding=False)


def test_fp32_has_one_tolerance_that_binds() -> None:
    assert bound_for(PLAIN, PRECISIONS["fp32"], {"Conv": 300}) == Bound(
        tolerance=Tolerance(atol=1e-5, rtol=1e-4), source=Message("the default for fp32"), binding=True
    )


@pytest.mark.parametrize(("precision", "roundoff"), [("bf16", 2**-8), ("fp16", 2**-11)])
@pytest.mark.parametrize(
    ("operators", "nodes"),
    [({}, 1), ({"Relu": 9, "Gemm": 1}, 1), ({"Conv": 90, "Gemm": 1, "MatMul": 5, "ConvTranspose": 4}, 100)],
)
def test_a_half_precision_is_held_to_an_estimate(
    precision: str, roundoff: float, operators: Mapping[str, int], nodes: int
) -> None:
    bound = bound_for(PLAIN, PRECISIONS[precision], operators)
    assert bound.tolerance.rtol == pytest.approx(2 * roundoff * math.sqrt(nodes))
    assert not bound.binding and f"√{nodes}" in str(bound.source)


def test_what_the_user_asks_for_binds_at_any_precision() -> None:
    bound = bound_for(RunRequest(model="any", atol=0.5), PRECISIONS["bf16"], {"Conv": 4})
    assert bound.tolerance == Tolerance(atol=0.5, rtol=4 * 2**-8), "the other part stays that of the precision"
    assert bound.binding and str(bound.source) == "as requested"


class Off(Session):
    """The reference's outputs, spoilt: by a share of the largest, or in their shape."""

    def __init__(self, reference: Session, share: float, *, turned: bool = False, cut: bool = False) -> None:
        self._reference, self._share, self._turned, self._cut = reference, share, turned, cut
        self.info = SessionInfo(runtime="off", version="1", precision="bf16", provider="cpu", threads=1)

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        values = self._reference.run(feeds)["class"]
        if self._turned:
            values = np.roll(values, 1, axis=1)
        values = values + self._share * np.abs(values).max()
        return {"class": values[:, :2] if self._cut else values}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = start(tmp_path / "out", tmp_path / "val", write_photos(tmp_path / "val", [0, 1, 2] * 2))
    run.export()
    return run


def parity_of(run: Run, bound: Bound, share: float = 0.0, *, turned: bool = False, cut: bool = False) -> Parity:
    session = Off(run.job.reference, share, turned=turned, cut=cut)
    return verify(run.job, "off-bf16", session, sample(run.job), bound)


def test_a_miss_of_an_estimate_is_stated_and_fails_nothing(run: Run) -> None:
    from dataclasses import replace

    parity = parity_of(run, ESTIMATE, 0.01)
    assert parity.passed and not any(one.passed for one in parity.outputs)
    assert (
        str(parity.conclusion)
        == "no prediction changed, but the error exceeds the rounding of the data type; accuracy decides"
    )
    verdict = judge(replace(run.record, parity=(parity,))).verdicts[1]
    assert verdict.state is State.PASS and "over the allowed" in str(verdict.evidence[1])


def test_answers_that_change_are_told(run: Run) -> None:
    parity = parity_of(run, ESTIMATE, turned=True)
    assert parity.changes.flipped == 6
    assert (
        str(parity.conclusion)
        == "some predictions changed, and the error exceeds the rounding of the data type; accuracy decides"
    )


def test_within_an_estimate_reads_as_any_other(run: Run) -> None:
    parity = parity_of(run, ESTIMATE, 1e-4)
    assert parity.passed and str(parity.conclusion) == "within tolerance; no prediction changed"


def test_broken_outputs_fail_at_any_precision(run: Run) -> None:
    assert not parity_of(run, ESTIMATE, cut=True).passed
    assert not parity_of(run, ESTIMATE, float("nan")).passed


def test_a_bound_that_binds_fails(run: Run) -> None:
    binding = Bound(tolerance=ESTIMATE.tolerance, source="as requested", binding=True)
    assert not parity_of(run, binding, 0.01).passed

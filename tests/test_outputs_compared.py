"""Outputs of healthy sessions are compared, all of them, and none is told anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lying import Offering
from tiny import start, write_photos

from porter import Artefact, BuildRequest, OnnxRuntime, OpenRequest, Session
from porter.contracts.rows import count_of
from porter.errors import ExitCode
from porter.pipeline.evaluation.gaps import gaps_between
from porter.pipeline.evaluation.traces import LEAST_VALUES, MOST_VALUES, traces_of, values_kept
from porter.pipeline.run import Run
from porter.pipeline.session_checks.rows_alike import astray, typical_distance


def require_quiet(run: Run, images: int) -> None:
    """Everything was compared, and nothing was found."""
    said = [str(text) for verdict in run.record.verdicts if verdict.name == "parity" for text in verdict.evidence]
    for evaluation in run.record.evaluations[1:]:
        compared = evaluation.compared
        assert compared is not None and compared.images == images, said
        assert compared.astray == 0 and not compared.findings, said
        assert evaluation.checks and not any(one.findings for one in evaluation.checks), said
    for one in run.record.performance:
        assert one.check is not None and one.check.rows and not one.check.findings, said
    assert not any(parity.findings for parity in run.record.parity), said


HEALTHY: list[dict[str, Any]] = [
    {},
    {"threads": 2, "streams": 2, "batch": 3, "batch_sizes": (1, 5)},
    {"threads": 2, "batch": 16},
    {"precisions": ("int8",), "calibration_images": 6},
    {"runtimes": ("openvino",), "precisions": ("bf16",), "batch_sizes": (1, 4)},
    {"runtimes": ("openvino",), "threads": 2, "streams": 2, "batch_sizes": (2,)},
]


@pytest.mark.parametrize("options", HEALTHY, ids=str)
def test_healthy_sessions_are_told_nothing(options: dict[str, Any], tmp_path: Path) -> None:
    for runtime in options.get("runtimes", ()):
        pytest.importorskip(runtime)
    labels = write_photos(tmp_path / "val", [0, 1, 2] * 8)
    run = start(tmp_path / "out", tmp_path / "val", labels, **options)
    assert run.everything() is ExitCode.OK
    require_quiet(run, len(run.job.data.items))


@pytest.mark.parametrize("labels", [[0, 1, 2, 0], [1] * 12], ids=["four images", "one class"])
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_few_images_and_one_class_are_told_nothing(labels: list[int], precision: str, tmp_path: Path) -> None:
    file = write_photos(tmp_path / "val", labels)
    write_photos(tmp_path / "ranges/val", [0, 1, 2] * 2, size=(30, 26))
    run = start(
        tmp_path / "out",
        tmp_path / "val",
        file,
        precisions=(precision,),
        calibration=str(tmp_path / "ranges/val") if precision == "int8" else None,
    )
    run.everything()
    require_quiet(run, len(labels))


def test_images_that_cannot_be_read_are_left_out(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "val", [0, 1, 2] * 4)
    (tmp_path / "val/photo 003.jpg").write_bytes(b"torn")
    (tmp_path / "val/photo 011.jpg").write_bytes(b"torn")
    run = start(tmp_path / "out", tmp_path / "val", labels, batch=4)
    run.everything()
    require_quiet(run, 10)


def test_outputs_that_an_earlier_command_wrote_are_compared_as_well(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "val", [0, 1, 2] * 4)
    run = start(tmp_path / "out", tmp_path / "val", labels)
    run.export(), run.infer(), run.evaluate()
    evaluation = run.record.evaluations[1]
    assert evaluation.end_to_end is not None and evaluation.end_to_end.source == "outputs"
    assert evaluation.compared is not None and (evaluation.compared.images, evaluation.compared.over) == (12, 0)


class FixedSession(Session):
    def __init__(self, session: Session, batch: int) -> None:
        self._session = session
        self.info = replace(session.info, runtime="fixed", batch=batch)

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        assert count_of(feeds) == self.info.batch
        return self._session.run(feeds)


class Fixed(OnnxRuntime):
    """Builds for one batch size alone."""

    name, fixed_batch = "fixed", True

    def build(self, request: BuildRequest) -> Artefact:
        return replace(super().build(request), runtime=self.name, batch=request.batch)

    def open(self, request: OpenRequest) -> Session:
        assert request.artefact.batch is not None
        return FixedSession(super().open(replace(request, batch=None)), request.artefact.batch)


def test_artefacts_of_a_fixed_batch_are_told_nothing(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "val", [0, 1, 2] * 4)
    options = {"runtimes": ("fixed",), "batch": 3, "batch_sizes": (1, 5)}
    run = start(tmp_path / "out", tmp_path / "val", labels, plugin=Offering(Fixed()), **options)
    assert run.everything() is ExitCode.OK
    assert len(run.record.evaluations) == 4
    require_quiet(run, 12)


# --- what is kept of an image ----------------------------------------------------------------------------------------


def test_an_output_of_few_values_is_kept_whole_and_room_is_bounded() -> None:
    assert values_kept(50_000, 1) >= 1000
    assert values_kept(1, 1) == MOST_VALUES and values_kept(10**9, 4) == LEAST_VALUES
    values = np.random.default_rng(0).standard_normal((2, 50), dtype=np.float32)
    [gap] = gaps_between(traces_of({"a": values}, 0, 64), traces_of({"a": values + np.float32(0.25)}, 0, 64))
    assert gap.error == pytest.approx(0.25) and gap.scale == float(np.abs(values[0]).max())


def test_sums_show_one_value_that_is_off_and_many_small_errors() -> None:
    generator = np.random.default_rng(1)
    values = generator.standard_normal((1, 21, 97, 101), dtype=np.float32)
    reference = traces_of({"map": values}, 0, 512)
    assert not reference["map"].whole and len(reference["map"].array) == 512
    spike = values.copy()
    spike[0, 3, 50, 60] += 0.5
    [gap] = gaps_between(reference, traces_of({"map": spike}, 0, 512))
    assert gap.error == pytest.approx(0.5, rel=1e-3)
    noise = np.float32(1e-3) * generator.standard_normal(values.shape, dtype=np.float32)
    [gap] = gaps_between(reference, traces_of({"map": values + noise}, 0, 512))
    assert gap.error == pytest.approx(1e-3, rel=0.2), "the root mean square, never more than the largest error"
    [gap] = gaps_between(reference, traces_of({"map": values}, 0, 512))
    assert gap.error == 0.0


def test_rounding_is_not_astray_and_rows_of_other_images_are() -> None:
    generator = np.random.default_rng(2)
    rows = generator.standard_normal((200, 100))
    norms, apart = (rows**2).sum(axis=1), typical_distance(rows)

    def told(got: np.ndarray) -> int:
        return int(astray(((got - rows) ** 2).sum(axis=1), norms, apart).sum())

    assert told(rows + 0.3 * generator.standard_normal(rows.shape)) == 0, "a poor int8"
    assert told(np.roll(rows, 1, axis=0)) > 150
    wrong = rows + 0.1 * generator.standard_normal(rows.shape)
    wrong[7::8] = rows[6::8]
    assert told(wrong) == 25
    assert told(rows * 0.9) == 0, "a scale that clips"

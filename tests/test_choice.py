"""`--precision auto`: what is tried, what is never chosen, and what the verdicts are then about."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import elsewhere
import pytest
from convnet import colour_network
from figures import rounded_twice, unfounded
from test_quantize import OUTLIER, spoil
from tiny import SPEC, TinyPlugin, start, write_photos

from porter.errors import BadInput, ExitCode
from porter.pipeline.precision.choose import choose
from porter.pipeline.speed.finals import ROUNDS
from porter.records.choice import Candidate, Choice, Outcome
from porter.records.record import RunRecord, State
from porter.runfolder.record_file import read_record


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("photos")
    return folder / "val", write_photos(folder / "val", [0, 1, 2] * 10)


def begin(out: Path, photos: tuple[Path, Path], *, outlier: float = 0.0, **options: Any) -> Any:
    settings: dict[str, Any] = {"precisions": ("auto",), "runtimes": ("onnxruntime",), "batch_sizes": (1, 4), **options}
    beside = [("elsewhere", elsewhere.plugin(elsewhere.Elsewhere()))]
    return start(out, *photos, plugin=TinyPlugin(network=colour_network(outlier=outlier)), beside=beside, **settings)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, photos: tuple[Path, Path]) -> Any:
    run = begin(tmp_path_factory.mktemp("auto") / "out", photos)
    assert run.everything() is ExitCode.OK
    return run


def by_id(choice: Choice) -> dict[str, Candidate]:
    return {one.artefact: one for one in choice.candidates}


def test_the_documents_state_the_figures_that_it_was_chosen_by(run: Any) -> None:
    winner = run.record.choice.winner
    assert str(run.record.overall.sentences[-1]) == str(run.record.choice.reason)
    for name in ("README.md", "README.zh.md"):
        document = (run.job.folder / name).read_text(encoding="utf-8")
        head = document.split("\n## ")[0]
        assert f"**{winner.final.images_per_second:.2f}**" in head and head.count(f"`{winner.artefact}`") == 1
        record = json.loads((run.job.folder / "run.json").read_text(encoding="utf-8"))
        assert unfounded(document, record) == [] and rounded_twice(document, record) == {}


def test_everything_that_the_runtime_offers_is_tried_and_timed_in_turns(run: Any) -> None:
    choice: Choice = run.record.choice
    found = by_id(choice)
    assert set(found) == {"onnxruntime-fp32", "onnxruntime-int8"}
    assert choice.baseline == "onnxruntime-fp32" and found[choice.baseline].ratio == 1.0
    for one in found.values():
        assert one.setting is not None and one.setting.batch in (1, 4)
        assert one.final is not None and one.final.rounds == ROUNDS
        assert one.final.lowest <= one.final.images_per_second <= one.final.highest
        assert (one.metric, one.value, one.drop) == ("top1", 100.0, 0.0)
        assert one.ratio == pytest.approx(
            one.final.images_per_second / found["onnxruntime-fp32"].final.images_per_second
        )


def test_the_fastest_of_them_is_chosen(run: Any) -> None:
    choice: Choice = run.record.choice
    fastest = max(choice.candidates, key=lambda one: one.final.images_per_second)
    assert choice.winner is fastest and choice.chosen == fastest.artefact
    assert fastest.artefact in str(choice.reason)
    assert read_record(run.job.folder).choice == choice


def test_the_verdicts_are_about_the_chosen_one(run: Any) -> None:
    record: RunRecord = run.record
    assert record.delivered == {record.choice.chosen}
    evidence = "\n".join(str(line) for verdict in record.verdicts for line in verdict.evidence)
    [other] = {"onnxruntime-fp32", "onnxruntime-int8"} - record.delivered
    assert record.choice.chosen in evidence and other not in evidence


def test_the_same_command_keeps_the_choice_and_a_new_accuracy_does_not(run: Any, photos: tuple[Path, Path]) -> None:
    again = begin(run.job.folder, photos, fresh=False)
    assert again.everything() is ExitCode.OK
    assert again.record.choice == run.record.choice
    again.evaluate()
    assert again.record.choice is None


def test_one_that_fails_the_gate_is_not_chosen(tmp_path: Path, photos: tuple[Path, Path]) -> None:
    run = begin(tmp_path / "out", photos, outlier=OUTLIER, search_seconds=0.0)
    assert run.everything() is ExitCode.OK
    found = by_id(run.record.choice)
    assert run.record.choice.chosen == "onnxruntime-fp32"
    lost = found["onnxruntime-int8"]
    assert (lost.outcome, lost.drop) == (Outcome.BROKEN, pytest.approx(200 / 3))
    assert str(lost.reason) == "parity with the loaded model fails"  # one answer for all images
    assert lost.final is None and lost.images_per_second is not None
    assert all(verdict.state is State.PASS for verdict in run.record.verdicts)
    assert (tmp_path / "out/accuracy.txt").read_text() == "top1 100.0"


def test_one_that_was_spoilt_is_not_chosen(tmp_path: Path, photos: tuple[Path, Path]) -> None:
    run = begin(tmp_path / "out", photos)
    run.everything()
    spoil(tmp_path / "out" / run.record.quantization.path)
    run = begin(tmp_path / "out", photos, fresh=False)
    run.verify()
    run.evaluate()
    run.bench()
    choice = choose(run.job, run.record).choice
    assert choice is not None and choice.chosen == "onnxruntime-fp32"
    assert by_id(choice)["onnxruntime-int8"].outcome is Outcome.BROKEN


def test_what_was_not_looked_at_or_is_broken_is_not_chosen(run: Any) -> None:
    """Each section taken away in turn leaves nothing to choose; a broken parity leaves the other."""
    record: RunRecord = replace(run.record, choice=None)
    for section in ("parity", "comparisons", "evaluations", "performance"):
        choice = choose(run.job, replace(record, **{section: ()})).choice
        assert choice is not None and choice.chosen == ""
        assert {one.outcome for one in choice.candidates} == {Outcome.UNMEASURED}
        assert str(choice.reason) == "none of 2 candidates passes: nothing was chosen"
    parity = tuple(replace(one, passed=one.candidate != "onnxruntime-int8") for one in record.parity)
    choice = choose(run.job, replace(record, parity=parity)).choice
    assert choice is not None and choice.chosen == "onnxruntime-fp32"
    assert by_id(choice)["onnxruntime-int8"].outcome is Outcome.BROKEN
    lost = tuple(replace(one, passed=one.evaluation != "onnxruntime-int8") for one in record.comparisons)
    choice = choose(run.job, replace(record, comparisons=lost)).choice
    assert choice is not None and choice.chosen == "onnxruntime-fp32"
    assert by_id(choice)["onnxruntime-int8"].outcome is Outcome.INACCURATE
    doubtful = tuple(replace(one, chance="near chance") for one in record.evaluations)
    choice = choose(run.job, replace(record, evaluations=doubtful)).choice
    assert choice is not None and {one.outcome for one in choice.candidates} == {Outcome.DOUBTFUL}


def test_only_what_did_not_fail_parity_is_scored(run: Any) -> None:
    parity = tuple(replace(one, passed=one.candidate != "onnxruntime-int8") for one in run.record.parity)
    broken = replace(run.record, parity=parity)
    assert [one.id for one in broken.scorable] == ["onnxruntime-fp32"]
    named = replace(broken, request=replace(broken.request, precisions=("fp32", "int8")))
    assert len(named.scorable) == 2


def test_what_cannot_be_quantised_is_left_out_with_the_reason(tmp_path: Path, photos: tuple[Path, Path]) -> None:
    plugin = TinyPlugin(spec=replace(SPEC, opset=11), network=colour_network())
    run = start(tmp_path / "out", *photos, plugin=plugin, precisions=("auto",), runtimes=("onnxruntime",))
    assert run.everything() is ExitCode.OK
    choice = run.record.choice
    untried = [one for one in choice.candidates if one.outcome is Outcome.UNTRIED]
    assert [(one.runtime, one.precision) for one in untried] == [("onnxruntime", "int8")]
    assert "opset 11, int8 needs 13" in str(untried[0].reason)
    assert (choice.chosen, run.record.data.listed) == ("onnxruntime-fp32", 30)


def test_a_network_that_the_quantiser_refuses_is_left_out(
    tmp_path: Path, photos: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing in it is computed by convolutions or matrix products."""
    import torch

    network = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Softmax(dim=1)).eval()
    run = start(
        tmp_path / "out",
        *photos,
        plugin=TinyPlugin(network=network),
        precisions=("auto",),
        runtimes=("onnxruntime",),
    )
    assert run.everything() is ExitCode.OK
    untried = [one for one in run.record.choice.candidates if one.outcome is Outcome.UNTRIED]
    assert len(untried) == 1 and "no node can be quantised to int8" in str(untried[0].reason)


def test_auto_goes_alone(tmp_path: Path, photos: tuple[Path, Path]) -> None:
    with pytest.raises(BadInput, match=r"--precision auto tries every data type\. Use it alone"):
        begin(tmp_path / "out", photos, precisions=("auto", "fp32")).everything()


def test_without_a_runtime_every_one_that_is_there_is_tried(tmp_path: Path, photos: tuple[Path, Path]) -> None:
    run = begin(tmp_path / "out", photos, runtimes=())
    there = {name for name in run.job.registry.runtimes() if run.job.registry.status(name).available}
    assert {runtime.name for runtime, _ in run.job.targets} == there
    plain = begin(tmp_path / "out", photos, runtimes=(), precisions=("fp32",))
    assert [runtime.name for runtime, _ in plain.job.targets] == ["onnxruntime"]

"""The runtime `ascend` in whole runs: on a host that has the tools, and by a kit on one that has not."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ascend_tools import Host
from figures import rounded_twice, unfounded
from tiny import SIZE, SPEC, TinyPlugin, start, write_photos

from porter import BadInput, ExitCode, ImportRequest, Progress, Run, RunRecord, State, create_registry, import_results
from porter_ascend import plugin
from porter_ascend.kit import read_kit
from porter_ascend.speed import IMAGES

TOOLS = ["ais_bench", "benchmark"]
LABELS = (0, 1, 2, 0, 1, 2, 2, 0, 1, 2, 0, 1, 2)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("photos")
    labels = write_photos(folder / "val", LABELS)
    (folder / "val/photo 003.jpg").write_bytes(b"")
    return folder / "val", labels


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has none of the tools, until a test installs them."""
    for name in ("PORTER_ASCEND_ENV", "PORTER_ASCEND_BENCHMARK", "ASCEND_TOOLKIT_HOME", "ASCEND_HOME_PATH"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory, photos: tuple[Path, Path]) -> Run:
    """A run that wrote a kit."""
    run = ascend_run(tmp_path_factory.mktemp("sent") / "out", photos, targets=("Ascend310",))
    run.everything()
    return run


@pytest.fixture
def kit(tmp_path: Path, sent: Run) -> Path:
    """A kit, as it is sent."""
    return Path(shutil.copytree(sent.job.folder / "kit", tmp_path / "kit"))


@pytest.fixture(scope="module", params=TOOLS)
def ran(tmp_path_factory: pytest.TempPathFactory, sent: Run, request: pytest.FixtureRequest) -> tuple[Path, Host]:
    """A kit that ran on a host with one of the tools."""
    folder = tmp_path_factory.mktemp("ran")
    place = Path(shutil.copytree(sent.job.folder / "kit", folder / "kit"))
    with pytest.MonkeyPatch.context() as patch:
        host = Host(folder, patch, tool=request.param)
        host.chips("310")
        done = run_kit(place)
        assert done.returncode == 0, done.stderr
    return place, host


@pytest.fixture
def back(tmp_path: Path, ran: tuple[Path, Host]) -> Path:
    """The same, brought back."""
    return Path(shutil.copytree(ran[0], tmp_path / "kit"))


class Notes(Progress):
    """Keeps what a run says."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)


def ascend_run(out: Path, photos: tuple[Path, Path], **options: Any) -> Run:
    settings = {"runtimes": ("ascend",), "max_drop": 50.0, **options}
    return start(out, *photos, beside=[("ascend", plugin)], **settings)


# --- on a host -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tool", TOOLS)
def test_a_whole_run_on_a_host(
    tmp_path: Path, photos: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, tool: str
) -> None:
    host = Host(tmp_path, monkeypatch, tool=tool)
    host.chips("310P3")
    run = ascend_run(tmp_path / "out", photos)
    assert run.everything() is ExitCode.OK
    record = run.record
    assert [artefact.id for artefact in record.artefacts] == ["ascend-fp16-bs1", "ascend-fp16-bs4"]
    shapes = [next(a for a in call if a.startswith("--input_shape=")) for call in host.calls("atc")]
    assert shapes == [f"--input_shape=image:{batch},3,{SIZE},{SIZE}" for batch in (1, 4)]
    assert all("--soc_version=Ascend310P3" in call for call in host.calls("atc"))
    reference, *others = record.evaluations
    for evaluation in others:
        assert evaluation.metrics == reference.metrics and evaluation.scored == 12 and evaluation.unreadable == 1
        assert evaluation.session.provider == f"Ascend310P3, device 0, through {tool}"
        assert evaluation.session.threads is None
    assert all(parity.passed for parity in record.parity)
    for one in record.performance:
        assert one.clock == tool and one.load_ms is None and one.images_per_second > 0
        if tool == "ais_bench":
            assert one.calls == 200 and one.latency.p99_ms is not None and len(one.copies) == 2
            assert one.images_per_second == pytest.approx(1000 * one.batch / (one.latency.mean_ms or 0))
        else:
            assert one.latency.median_ms is None and one.ms_per_image == pytest.approx(
                1000 / one.images_per_second, rel=1e-4
            )
    assert {p.name for p in (tmp_path / "out/logs").iterdir()} == {f"atc-tiny-ascend-fp16-bs{b}.log" for b in (1, 4)}
    assert record.kits == ()


def test_the_data_set_goes_through_one_run_of_the_tool(
    tmp_path: Path, photos: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host(tmp_path, monkeypatch)
    run = ascend_run(tmp_path / "out", photos, targets=("Ascend310",), batch_sizes=(4,), batch=4)
    run.export()
    run.evaluate()
    assert len(host.calls("ais_bench")) == 1


def test_outputs_that_do_not_come_back_stop_the_run(
    tmp_path: Path, photos: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    Host(tmp_path, monkeypatch)
    run = ascend_run(tmp_path / "out", photos, targets=("Ascend310",), batch_sizes=(4,))
    run.export()
    monkeypatch.setenv("STUB_AIS_BENCH", "loses one")
    with pytest.raises(BadInput, match="ais_bench: outputs of 1 of 12 images are missing"):
        run.evaluate()
    monkeypatch.setenv("STUB_AIS_BENCH", "fails")
    with pytest.raises(BadInput, match=r"ais_bench on tiny-ascend-fp16-bs4\.om: exit status 1; .*device 0 failed"):
        run.evaluate()


def test_a_precision_that_atc_is_not_told_is_refused(
    tmp_path: Path, photos: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    Host(tmp_path, monkeypatch)
    run = ascend_run(tmp_path / "out", photos, targets=("Ascend310",), precisions=("int8",))
    with pytest.raises(BadInput, match="ascend has no int8 on this machine"):
        run.everything()


# --- by a kit --------------------------------------------------------------------------------------------------------


def test_without_a_chip_the_run_stops_before_any_work(tmp_path: Path, photos: tuple[Path, Path]) -> None:
    run = ascend_run(tmp_path / "out", photos)
    with pytest.raises(BadInput, match=r"unknown target chip\. Use --soc-version NAME"):
        run.everything()
    assert not (tmp_path / "out/models").exists()


def test_without_the_tools_a_kit_is_written_and_the_run_goes_on(tmp_path: Path, photos: tuple[Path, Path]) -> None:
    run = ascend_run(tmp_path / "out", photos, targets=("Ascend310",), runtimes=("onnxruntime", "ascend"))
    notes = Notes()
    run.job = replace(run.job, progress=notes)
    assert run.everything() is ExitCode.OK
    [kit] = run.record.kits
    assert (kit.target, kit.precision, kit.batches, kit.images) == ("Ascend310", "fp16", (1, 4), 12)
    assert [artefact.id for artefact in run.record.artefacts] == ["onnxruntime-fp32"]
    assert any(text.startswith("nothing was measured on ascend: this machine lacks atc") for text in notes.said)
    out = tmp_path / "out"
    document = read_kit(out / "kit/kit.json")
    names = [item.name for item in document.items]
    assert names == [f"photo_{k:03}_{k:08d}" if k != 3 else "" for k in range(13)]
    assert document.items[3].reason
    bins = sorted((out / "kit/data/bin").iterdir())
    assert {path.stat().st_size for path in bins} == {4 * 3 * SIZE * SIZE}
    info = (out / "kit/data/images.info").read_text().splitlines()
    assert info[3] == f"3 data/bin/photo_004_00000004.bin {SIZE} {SIZE}" and len(info) == 12
    assert (out / "kit/data/labels.txt").read_text().splitlines()[3] == "photo 003.jpg 0"
    readme = (out / "README.md").read_text()
    unmeasured = readme.split("## Not measured")[1].split("\n## ")[0]
    assert "runtime ascend" in unmeasured and "kit" in unmeasured
    record = json.loads((out / "run.json").read_text())
    for name in ("README.md", "README.zh.md"):
        document = (out / name).read_text()
        assert unfounded(document, record) == [] and rounded_twice(document, record) == {}


def test_an_input_that_atc_cannot_name_costs_the_others_nothing(tmp_path: Path, photos: tuple[Path, Path]) -> None:
    spec = replace(SPEC, inputs=(replace(SPEC.inputs[0], name="images:0"),))
    for runtimes in (("onnxruntime", "ascend"), ("ascend",)):
        options = {"targets": ("Ascend310",), "runtimes": runtimes, "plugin": TinyPlugin(spec)}
        run = ascend_run(tmp_path / f"out-{len(runtimes)}", photos, **options)
        if len(runtimes) == 1:
            with pytest.raises(BadInput, match="input 'images:0': atc's --input_shape cannot express this name"):
                run.everything()
            continue
        assert run.everything() is ExitCode.VERDICT_FAILED
        [one] = run.record.unfinished
        assert (one.artefact, one.stage) == ("ascend-fp16", "build") and "cannot express this name" in one.reason
        assert [artefact.id for artefact in run.record.artefacts] == ["onnxruntime-fp32"]
        assert run.record.kits == () and {one.artefact for one in run.record.performance} == {"onnxruntime-fp32"}
        readme = (tmp_path / "out-2/README.md").read_text()
        assert "ascend-fp16: not scored, it was not built: input 'images:0'" in readme


def test_atc_alone_builds_what_the_kit_will_build(
    tmp_path: Path, photos: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host(tmp_path, monkeypatch, tool="")
    run = ascend_run(tmp_path / "out", photos, targets=("Ascend310",), batch_sizes=(1, 4, 8, 16, 32))
    assert run.everything() is ExitCode.OK
    [kit] = run.record.kits
    assert [one.batch for one in kit.built] == [1, 4, 8, 16, 32] and run.record.artefacts == ()
    shapes = [next(a for a in call if a.startswith("--input_shape=")) for call in host.calls("atc")]
    assert shapes == [f"--input_shape=image:{batch},3,{SIZE},{SIZE}" for batch in (1, 4, 8, 16, 32)]
    assert {one.path for kit in run.record.kits for one in kit.built} <= {file.path for file in run.record.files}
    assert kit.lacks.startswith("this machine lacks ais_bench or benchmark")


@pytest.mark.parametrize("how", ["operators", "nothing", "empty", "fails after writing"])
def test_what_atc_alone_refuses_ends_the_run(
    tmp_path: Path, photos: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    Host(tmp_path, monkeypatch, tool="")
    monkeypatch.setenv("STUB_ATC", how)
    run = ascend_run(tmp_path / "out", photos, targets=("Ascend310",))
    with pytest.raises(BadInput, match="atc"):
        run.everything()
    assert list((tmp_path / "out/models").glob("*.om")) == []


def test_a_stage_alone_says_that_nothing_is_built(tmp_path: Path, photos: tuple[Path, Path]) -> None:
    run = ascend_run(tmp_path / "out", photos, targets=("Ascend310",))
    notes = Notes()
    run.job = replace(run.job, progress=notes)
    run.export()
    run.verify()
    assert notes.said[-1] == "ascend is not available on this machine: nothing is built (`porter run` writes a kit)"


def test_a_kit_that_stands_is_kept_and_one_with_results_is_not_written_over(
    tmp_path: Path, photos: tuple[Path, Path]
) -> None:
    ascend_run(tmp_path / "out", photos, targets=("Ascend310",)).everything()
    written = (tmp_path / "out/kit/kit.json").stat().st_mtime_ns
    ascend_run(tmp_path / "out", photos, targets=("Ascend310",), fresh=False).everything()
    assert (tmp_path / "out/kit/kit.json").stat().st_mtime_ns == written
    (tmp_path / "out/kit/results").mkdir()
    with pytest.raises(BadInput, match=r"contains results\. Import them"):
        ascend_run(tmp_path / "out", photos, targets=("Ascend910B3",), fresh=False).everything()


def test_the_script_is_portable(kit: Path) -> None:
    script = kit / "run.sh"
    subprocess.run(["sh", "-n", script], check=True)
    if shutil.which("shellcheck") is None:
        pytest.skip("no shellcheck here")
    done = subprocess.run(["shellcheck", "-s", "sh", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def run_kit(kit: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """On the host: nothing of porter is in its environment."""
    return subprocess.run(
        ["sh", kit / "run.sh", *arguments], capture_output=True, text=True, check=False, cwd=kit.parent
    )


def taken_back(kit: Path, out: Path, **options: Any) -> RunRecord:
    registry = create_registry([("tiny", TinyPlugin()), ("ascend", plugin)])
    return import_results(ImportRequest(runtime="ascend", folder=kit, **options), out, registry, Progress())


def findings(record: RunRecord) -> list[str]:
    assert record.imported is not None
    return [f"{one.kind}: {one.text}" for one in record.imported.findings]


def test_a_kit_goes_to_the_host_and_comes_back(tmp_path: Path, sent: Run, ran: tuple[Path, Host], back: Path) -> None:
    host = ran[1]
    assert [call[1] for call in host.calls("atc")] == ["--model=model/tiny.onnx"] * 2
    shapes = [next(a for a in call if a.startswith("--input_shape=")) for call in host.calls("atc")]
    assert shapes == [f"--input_shape=image:{batch},3,{SIZE},{SIZE}" for batch in (1, 4)]
    results = json.loads((back / "results/results.json").read_text())
    tool = results["tool"]
    assert [entry["built"] and entry["pure"] and entry["dataset"] for entry in results["batches"]] == [True, True]
    record = taken_back(back, tmp_path / "imported", devices_per_card=4, max_drop=50.0)
    assert findings(record) == []
    reference = sent.record.evaluations[0]
    for evaluation in record.evaluations:
        assert evaluation.metrics == reference.metrics
        assert (evaluation.listed, evaluation.scored, evaluation.unreadable) == (13, 12, 1)
    assert [evaluation.name for evaluation in record.evaluations] == ["ascend-fp16-bs1", "ascend-fp16-bs4"]
    pure = [one for one in record.performance if "the tool" in str(one.input)]
    assert [one.batch for one in pure] == [1, 4]
    for one in record.performance:
        assert one.clock == tool and one.session.provider == f"Ascend310, device 0, through {tool}"
        assert one.card is not None and one.card.images_per_second == 4 * one.images_per_second
    assert (tmp_path / "imported/predictions.csv").read_text().count("\n") == 27
    assert (tmp_path / "imported/README.md").exists() and (tmp_path / "imported/result.json").exists()
    if tool == "benchmark":
        assert record.imported is not None and {run.images for run in record.imported.dataset_runs} == {12}


@pytest.mark.parametrize("form", ["ascend-guide", "ascend-modelzoo"])
def test_a_form_has_the_figures_that_came_back(tmp_path: Path, back: Path, form: str) -> None:
    """As the tool that was there measured them."""
    tool = json.loads((back / "results/results.json").read_text())["tool"]
    record = taken_back(back, tmp_path / "out", devices_per_card=4, max_drop=50.0, form=form)
    text = (tmp_path / "out" / form / "README.md").read_text()
    assert record.model is not None and record.model.opset == 11
    assert record.made_from == ()  # this model has neither config nor checkpoint
    shown = tool.replace("_", r"\_")
    assert "Ascend310" in text and f"{shown} 测得" in text and "--precision_mode=force_fp16" in text
    for one in record.performance:
        if form == "ascend-guide" or one.input != IMAGES:
            assert re.search(rf"\b{one.images_per_second:.3f}".rstrip("0").rstrip("."), text)
    for evaluation in record.evaluations:
        assert f"{evaluation.metric('top1').value:.2f}%" in text
    levels = (tmp_path / "out" / form / "modelzoo_level.txt").read_text()
    assert levels.startswith("FuncStatus:OK\nPerfStatus:OK\n")


def test_a_damaged_kit_is_not_run(tmp_path: Path, kit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Host(tmp_path, monkeypatch)
    (kit / "data/bin/photo_000_00000000.bin").write_bytes(b"x")
    done = run_kit(kit)
    assert done.returncode == 2 and "damaged or missing: copy it again" in done.stderr
    assert "photo_000_00000000.bin" in done.stderr and not (kit / "results").exists()


def test_a_host_without_the_tools_says_what_it_lacks(
    tmp_path: Path, kit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = run_kit(kit)
    assert done.returncode == 3 and "atc not found: install CANN" in done.stderr
    monkeypatch.setenv("PORTER_ASCEND_ENV", "/none/set_env.sh")
    done = run_kit(kit)
    assert done.returncode == 2 and "PORTER_ASCEND_ENV: /none/set_env.sh: no such file" in done.stderr
    done = run_kit(kit, "first")
    assert done.returncode == 2 and "is no number" in done.stderr


def test_the_script_sources_the_toolkit_that_it_finds(
    tmp_path: Path, kit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = os.environ["PATH"]
    host = Host(tmp_path, monkeypatch)
    home = tmp_path / "Ascend/ascend-toolkit"
    (home / "latest").mkdir(parents=True)
    (home / "set_env.sh").write_text(f'[[ -n "$BASH" ]] && export PATH="{host.bin}:$PATH"\n')
    (home / "latest/version.cfg").write_text("# version: 1.0\nversion=8.0.RC1\n")
    monkeypatch.setenv("PATH", path)
    monkeypatch.setenv("ASCEND_TOOLKIT_HOME", str(home / "latest"))
    done = run_kit(kit)
    assert done.returncode == 0, done.stderr
    results = json.loads((kit / "results/results.json").read_text())
    assert results["cann"] == "8.0.RC1"


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("operators", "E19010: No parser is registered for Op [Einsum_12"),
        ("nothing", "exit status 0, but no single new .om"),
        ("empty", "exit status 0, but no single new .om"),
        ("fails after writing", "exit status 3"),
    ],
)
def test_a_failed_conversion_on_the_host_is_told_and_imported_as_such(
    tmp_path: Path, kit: Path, monkeypatch: pytest.MonkeyPatch, how: str, said: str
) -> None:
    Host(tmp_path, monkeypatch)
    monkeypatch.setenv("STUB_ATC", how)
    done = run_kit(kit)
    assert done.returncode == 1 and said in done.stderr
    assert not list(kit.rglob("*.om"))
    with pytest.raises(BadInput, match="nothing to import"):
        taken_back(kit, tmp_path / "imported")


def test_what_is_missing_or_changed_in_the_results_is_named(tmp_path: Path, back: Path) -> None:
    results = back / "results"
    [gone] = (results / "predictions_bs4").glob("photo_005*")
    gone.unlink()
    [spoilt] = (results / "predictions_bs1").glob("photo_000*")
    nan = np.full((1, 3), np.nan, np.float32)
    if spoilt.suffix == ".npy":
        np.save(spoilt, nan)
    else:
        nan.tofile(spoilt)
    [report] = [*results.glob("pure_bs4_summary.json"), *results.glob("benchmark_pure_bs4/*.txt")]
    report.write_text("{")
    record = taken_back(back, tmp_path / "imported", max_drop=50.0)
    told = "\n".join(findings(record))
    assert f"unreadable: `{report.relative_to(back)}`: no" in told
    assert (
        "missing: `results/predictions_bs4` contains outputs of 11 of 12 images; missing ones (such as photo_005"
        in told
    )
    assert "inconsistent: 3 result files are missing or were changed after the run on the host" in told
    first, second = record.evaluations
    assert (first.nonfinite, second.unreadable) == (1, 2)
    assert {v.name: v.state for v in record.verdicts}["accuracy"] is State.FAIL


def test_results_of_another_kit_are_not_taken_for_these(tmp_path: Path, back: Path) -> None:
    kit = back
    document = read_kit(kit / "kit.json")
    (kit / "kit.json").write_text((kit / "kit.json").read_text().replace(document.created, "2020-01-01T00:00:00+00:00"))
    told = findings(taken_back(kit, tmp_path / "imported", max_drop=50.0))
    assert told == ["inconsistent: the results belong to another kit than `kit.json`"]


def test_a_hostile_kit_breaks_nothing(tmp_path: Path, back: Path) -> None:
    kit = back
    sums = kit / "results/SHA256SUMS"
    sums.write_text(f"{'0' * 64}  /etc/passwd\n{'0' * 64}  ../../../labels.txt\nnonsense\n")
    results = kit / "results/results.json"
    results.write_text(results.read_text().replace('"tool"', '"cann": "a|b<script>`\\u202e", "tool"'))
    document = json.loads((kit / "kit.json").read_text())
    document["items"][0]["name"] = "../../../../etc/passwd"
    document["items"][1]["id"] = "a|b<img src=x>`\u202e.jpg"
    (kit / "kit.json").write_text(json.dumps(document))
    record = taken_back(kit, tmp_path / "imported", max_drop=50.0)
    told = "\n".join(findings(record))
    assert "3 result files are missing or were changed after the run on the host: /etc/passwd" in told
    assert record.evaluations[0].unreadable == 2
    document["spec"]["inputs"] = []
    (kit / "kit.json").write_text(json.dumps(document))
    with pytest.raises(BadInput, match=r"kit\.json: inputs"):
        taken_back(kit, tmp_path / "again")


def test_a_kit_that_was_not_run_says_so(tmp_path: Path, kit: Path) -> None:
    with pytest.raises(BadInput, match=r"this is a kit without results/\. Run its script"):
        taken_back(kit, tmp_path / "imported")

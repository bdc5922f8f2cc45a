"""The Ascend formats, command lines and logs: what is written, byte for byte, and what is read out of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ascend_tools import Host, npu_smi
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from porter import BadInput, Missing, TensorSpec
from porter_ascend import aisbench, benchmark
from porter_ascend.atc import Conversion, convert, input_shape
from porter_ascend.atclog import Refused, read_log
from porter_ascend.chip import chips_of, soc_version
from porter_ascend.inputs import bin_names, info_lines, write_bin
from porter_ascend.outputs import OutputFolder, read_array
from porter_ascend.scores import read_scores
from porter_ascend.toolkit import SCRIPT_VARIABLE, Toolkit, environment_script

SHARED = Path(__file__).resolve().parents[3] / "../shared/ascend"
GUIDE = SHARED / "guide"
needs_guide = pytest.mark.skipif(not GUIDE.is_dir(), reason="the recorded delivery is not here")
IMAGE = TensorSpec(name="image", shape=("N", 3, 224, 224))
SCORES = TensorSpec(name="class", shape=("N", 3))


# --- inputs ----------------------------------------------------------------------------------------------------------


def test_a_bin_holds_the_values_and_nothing_else(tmp_path: Path) -> None:
    array = np.random.default_rng(0).standard_normal((3, 224, 224), dtype=np.float32)
    write_bin(tmp_path / "one.bin", array)
    assert (tmp_path / "one.bin").stat().st_size == 602_112
    assert np.array_equal(np.fromfile(tmp_path / "one.bin", "<f4").reshape(3, 224, 224), array)
    write_bin(tmp_path / "flipped.bin", array[:, :, ::-1])
    assert np.array_equal(np.fromfile(tmp_path / "flipped.bin", "<f4"), array[:, :, ::-1].ravel())


@pytest.mark.parametrize("array", [np.zeros((1, 3, 4, 4), np.float32), np.zeros((3, 4, 4)), np.zeros(3, np.float32)])
def test_a_bin_takes_one_float32_image(tmp_path: Path, array: np.ndarray) -> None:
    with pytest.raises(BadInput, match=r"one\.bin: a \.bin must be float32 C×H×W, not"):
        write_bin(tmp_path / "one.bin", array)


def test_names_are_those_of_the_images_without_suffix() -> None:
    ids = ["ILSVRC2012_val_00000001.JPEG", "n01440764/ILSVRC2012_val_00000293.JPEG"]
    assert bin_names(ids) == ("ILSVRC2012_val_00000001", "ILSVRC2012_val_00000293")


def test_no_image_takes_the_name_of_another() -> None:
    ids = ["a.jpg", "a.png", "x/b.jpg", "y/b.jpg", "c d.jpg", "e.f.jpg", "a_00000000.jpg", "Ö.jpg"]
    names = bin_names(ids)
    assert names == (
        *("a_00000000_", "a_00000001", "b_00000002", "b_00000003", "c_d_00000004", "e_f_00000005", "a_00000000"),
        "__00000007",
    )


@given(st.lists(st.text(min_size=1, max_size=8).map(lambda name: f"{name}.jpg"), unique=True, max_size=30))
def test_names_are_unique_and_plain(ids: list[str]) -> None:
    names = bin_names(ids)
    assert len(set(names)) == len(ids)
    assert all(name and set(name) <= set("_-0123456789") | set(map(chr, range(65, 123))) for name in names)


def test_info_lines_are_index_path_width_height() -> None:
    assert list(info_lines(["data/a.bin", "data/b.bin"], 224, 192)) == ["0 data/a.bin 224 192", "1 data/b.bin 224 192"]


# --- the chip --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chips", [("310P3", "310P3"), ("310", "310"), ("910B3", "310B1"), ("910_9391", "910ProB")])
def test_the_chips_of_npu_smi(chips: tuple[str, str]) -> None:
    assert chips_of(npu_smi(*chips)) == chips


@pytest.mark.parametrize("text", ["", "dcmi module initialize failed. ret is -8005", "| NPU | Name |\n", "\0\xff" * 99])
def test_text_without_chips_has_none(text: str) -> None:
    assert chips_of(text) == ()


def test_the_chip_is_given_or_read_and_never_assumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as bare:
        bare.setenv("PATH", "")
        with pytest.raises(BadInput, match=r"unknown target chip\. Use --soc-version NAME"):
            soc_version(None)
    host = Host(tmp_path, monkeypatch)
    host.chips("310P3")
    assert soc_version(None) == "Ascend310P3"
    assert soc_version("Ascend910B3") == "Ascend910B3"
    host.chips("310P3", "310")
    with pytest.raises(BadInput, match=r"machine has 2 kinds of chips \(Ascend310, Ascend310P3\)"):
        soc_version(None)


@pytest.mark.parametrize(
    ("given_name", "why"),
    [
        ("310P3", "atc expects Ascend310P3"),
        ("", "not a chip name"),
        ("Ascend310; rm -rf /", "not a chip name"),
        ("A" * 80, "not a chip name"),
    ],
)
def test_a_name_that_no_chip_has_is_refused(given_name: str, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        soc_version(given_name)


# --- atc -------------------------------------------------------------------------------------------------------------


def test_the_input_shape_is_the_files_own() -> None:
    assert input_shape([IMAGE], 16) == "image:16,3,224,224"
    assert input_shape([IMAGE, TensorSpec(name="x.1", shape=("N", 2))], 1) == "image:1,3,224,224;x.1:1,2"


@pytest.mark.parametrize(
    ("tensor", "why"),
    [
        (TensorSpec(name="image", shape=("N", 3, "H", 224)), "H is dynamic; atc allows only a dynamic batch"),
        (TensorSpec(name="image", shape=(4, 3, 8, 8)), "fixed to batch 4, not 16"),
        (TensorSpec(name="a:b", shape=("N", 3)), "cannot express this name"),
        (TensorSpec(name="", shape=("N", 3)), "cannot express this name"),
        (TensorSpec(name="image", shape=()), "image: no batch dimension"),
        (TensorSpec(name="image", shape=("N", -1, 8, 8)), "-1 is dynamic"),
    ],
)
def test_what_the_input_shape_cannot_say_is_refused(tensor: TensorSpec, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        input_shape([tensor], 16)


@pytest.fixture
def onnx_file(tmp_path: Path) -> Path:
    import onnx
    from graphs import network

    path = tmp_path / "network.onnx"
    onnx.save(network(), path)
    return path


def conversion(onnx_file: Path, batch: int = 4, name: str = "image") -> Conversion:
    from graphs import SIZE

    inputs = (TensorSpec(name=name, shape=("N", 3, SIZE, SIZE)),)
    return Conversion(onnx=onnx_file, inputs=inputs, batch=batch, soc_version="Ascend310")


def test_five_batch_sizes_give_five_command_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, onnx_file: Path
) -> None:
    from graphs import SIZE

    host = Host(tmp_path, monkeypatch)
    for batch in (1, 4, 8, 16, 32):
        target = tmp_path / f"models/network_bs{batch}.om"
        convert(Toolkit.find(), conversion(onnx_file, batch), target, tmp_path / f"logs/bs{batch}.log")
        assert target.stat().st_size
    calls = host.calls("atc")
    outputs = [next(a for a in call if a.startswith("--output=")) for call in calls]
    assert [Path(output).name for output in outputs] == [f"network_bs{batch}" for batch in (1, 4, 8, 16, 32)]
    for batch, call, output in zip((1, 4, 8, 16, 32), calls, outputs, strict=True):
        assert call == [
            "--framework=5",
            f"--model={onnx_file}",
            output,
            "--input_format=NCHW",
            f"--input_shape=image:{batch},3,{SIZE},{SIZE}",
            "--soc_version=Ascend310",
            "--precision_mode=force_fp16",
            "--log=error",
        ]
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == sorted(
        f"network_bs{batch}.om" for batch in (1, 4, 8, 16, 32)
    )


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("nothing", r"exit status 0, but no \.om was written"),
        ("empty", r"exit status 0, but the \.om is empty"),
        ("fails after writing", "exit status 3"),
    ],
)
def test_what_is_no_success_leaves_no_om(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, onnx_file: Path, how: str, why: str
) -> None:
    Host(tmp_path, monkeypatch)
    monkeypatch.setenv("STUB_ATC", how)
    target = tmp_path / "models/network.om"
    target.parent.mkdir()
    target.write_text("of an earlier run")
    with pytest.raises(BadInput, match=rf"atc, batch 4: {why}.*Full log: .*one\.log") as refused:
        convert(Toolkit.find(), conversion(onnx_file), target, tmp_path / "logs/one.log")
    assert "\n" not in str(refused.value)
    assert list(target.parent.iterdir()) == []
    assert (tmp_path / "logs/one.log").read_text().startswith("$ atc --framework=5")


def test_every_refused_operator_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, onnx_file: Path) -> None:
    Host(tmp_path, monkeypatch)
    monkeypatch.setenv("STUB_ATC", "operators")
    with pytest.raises(BadInput) as refused:
        convert(Toolkit.find(), conversion(onnx_file), tmp_path / "network.om", tmp_path / "atc.log")
    text = str(refused.value)
    assert "E19010 3 operators rejected" in text
    for name, kind in (("Einsum_12", "Einsum"), ("Conv_52", "Convx"), ("Einsum_90", "Einsum")):
        assert f"{name} (ai.onnx::11::{kind})" in text
    assert "ai.onnx::11::Einsum × 2, ai.onnx::11::Convx × 1" in text


def test_a_wrong_input_name_is_said_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, onnx_file: Path) -> None:
    Host(tmp_path, monkeypatch)
    wrong = conversion(onnx_file, name="images")
    with pytest.raises(BadInput, match=r"E10016: Opname \[images\].*is not an input of the ONNX file"):
        convert(Toolkit.find(), wrong, tmp_path / "network.om", tmp_path / "atc.log")


def test_a_missing_atc_says_how_to_get_it(tmp_path: Path, onnx_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Missing, match=r"atc cannot be started .*install CANN"):
        convert(Toolkit(script=None), conversion(onnx_file), tmp_path / "network.om", tmp_path / "atc.log")


def test_the_log_of_newer_versions_is_read_as_well() -> None:
    log = read_log(
        "[ERROR] GE x\n[PID: 7] 2026-01-14-06:41:59 Unsupported_Operator(EZ3002): Optype [TransData] of Ops kernel "
        "[AIcoreEngine] is unsupported. Reason: not found\nE19010: No parser is registered for Op [..]\n"
        "EZ3003: No supported Ops kernel and engine are found for [Roll_3], optype [Roll].\n"
    )
    assert log.refused == (Refused("", "TransData"), Refused("..", ""), Refused("Roll_3", "Roll"))
    assert [error.code for error in log.errors] == ["EZ3002", "E19010", "EZ3003"]


@given(st.text())
def test_any_log_is_read(text: str) -> None:
    assert "\n" not in read_log(text).summary()


def test_the_environment_script_is_found_or_named(tmp_path: Path) -> None:
    home = tmp_path / "Ascend/ascend-toolkit"
    (home / "latest").mkdir(parents=True)
    (home / "set_env.sh").write_text("")
    found = home / "set_env.sh"
    assert environment_script({"ASCEND_TOOLKIT_HOME": str(home / "latest"), "HOME": "/nowhere"}) == found
    assert environment_script({"HOME": str(tmp_path)}) == found
    assert environment_script({SCRIPT_VARIABLE: str(found)}) == found
    with pytest.raises(BadInput, match=f"{SCRIPT_VARIABLE}=/none: no such file"):
        environment_script({SCRIPT_VARIABLE: "/none"})


def test_tools_run_in_the_environment_that_the_script_sets(tmp_path: Path) -> None:
    script = tmp_path / "set env.sh"
    script.write_text("export ASCEND_OPP_PATH='/opt/a b'\necho noise\n")
    toolkit = Toolkit(script=script)
    log = tmp_path / "log"
    assert toolkit.run(["sh", "-c", 'echo "$ASCEND_OPP_PATH"; exit 7'], log) == 7
    assert log.read_text().splitlines()[1:] == ["/opt/a b"]
    assert toolkit.has(["true"]) and not toolkit.has(["false"])


# --- what tools leave ------------------------------------------------------------------------------------------------


@needs_guide
def test_the_recorded_reports_are_read() -> None:
    found = {path.stem: benchmark.read_pure_infer(path) for path in GUIDE.glob("PureInfer*.log")}
    rates = {one.batch: one.images_per_second for one in found.values()}
    assert rates == {1: 155.975, 4: 224.608, 8: 248.514, 16: 269.512, 32: 271.562}
    assert found["PureInfer_bs1"].rounds == 20 and found["PureInfer_bs4"].rounds is None
    report = benchmark.read_perf_vision(GUIDE / "perf_vision_batchsize_1_device_0.txt")
    assert [(m.name, m.images_per_second) for m in report.modules] == [
        ("data read", 132.686),
        ("preprocess", 132.548),
        ("infer", 125.448),
        ("post", 125.448),
    ]
    assert report.modules[2].interface_images_per_second == 156.216
    assert round(report.images) == 50_000
    scores = read_scores(GUIDE / "result.json")
    assert (scores.images, scores.top[1], scores.top[5]) == (50_000, 76.46, 93.14)


@needs_guide
def test_the_summary_of_the_tool_is_read() -> None:
    found = aisbench.read_summary(SHARED / "ais_bench/genuine_summary.json")
    assert found.npu is not None
    assert (found.batch, found.npu.mean, found.npu.p99, found.npu.count) == (16, 10.6, 12.2, 8)
    assert found.model == "./hrnet_w18_bs16.om"
    assert found.h2d is not None and found.h2d.median == 1.1


FORMULAE = (
    "1000*batchsize(16)/NPU_compute_time.mean(10.6)",
    "1000*batchsize.mean(16)/NPU_compute_time.mean(10.6)",
    "1000*batchsize.mean(16.0)/NPU_compute_time.mean(10.6)",
    "(1000*batchsize/NPU_compute_time)",
)


@pytest.mark.parametrize("formula", FORMULAE)
@pytest.mark.parametrize("kind", ["NPU_compute_time", "NPU compute_time"])
def test_every_spelling_of_the_log_is_read(tmp_path: Path, formula: str, kind: str) -> None:
    log = tmp_path / "ais_bench.log"
    log.write_text(
        "Inference array Processing: 100%|███| 1/1\n"
        f"[INFO] {kind} (ms): min = 10.1, max = 12.4, mean = 10.6, median = 10.5, percentile(99%) = 12.2\n"
        f"[INFO] throughput {formula}: 1509.433962264151\n"
    )
    [found] = aisbench.read_logs(log)
    assert found.npu is not None
    assert (found.batch, found.npu.median, found.images_per_second) == (16, 10.5, 1509.433962264151)


RATE = "[INFO] throughput 1000*batchsize.mean(1)/NPU_compute_time.mean(2.0): 500\n"
PURE = "[INFO] ave_throughputRate: 10samples/s, ave_latency: 100ms\n"
BROKEN = {
    "absent": (aisbench.read_logs, None, "no such file"),
    "empty": (aisbench.read_logs, b"", "is empty"),
    "truncated": (aisbench.read_logs, RATE.encode()[:40], "no throughput"),
    "NaN": (aisbench.read_logs, RATE.replace("500", "nan").encode(), "throughput is 'nan'"),
    "UTF-16": (aisbench.read_logs, RATE.encode("utf-16"), "UTF-16"),
    "GBK": (aisbench.read_logs, "完成\n".encode("gbk"), "not UTF-8"),
    "not JSON": (aisbench.read_summary, b"{", "no summary of ais_bench"),
    "a list": (aisbench.read_summary, b"[]", "no summary of ais_bench"),
    "no times": (aisbench.read_summary, b"{}", "no NPU_compute_time"),
    "times of another kind": (aisbench.read_summary, b'{"NPU_compute_time": [1]}', "no object of figures"),
    "deep": (aisbench.read_summary, b"[" * 100_000, "no summary of ais_bench"),
    "huge": (aisbench.read_summary, b'{"NPU_compute_time": {"mean": 1e999}}', "out of range"),
    "a rate of words": (
        aisbench.read_summary,
        b'{"NPU_compute_time": {"mean": 1}, "throughput": "fast"}',
        "throughput is 'fast'",
    ),
    "half a count": (
        aisbench.read_summary,
        b'{"NPU_compute_time": {"mean": 1, "count": 1.5}, "throughput": 1}',
        "not a count",
    ),
    "no rate": (benchmark.read_pure_infer, b"[INFO] saved\n", "no ave_throughputRate"),
    "two rates": (benchmark.read_pure_infer, (PURE * 2).encode(), "2 times ave_throughputRate"),
    "infinite": (benchmark.read_pure_infer, PURE.replace("100", "inf").encode(), "ave_latency is 'inf'"),
    "no e2e": (benchmark.read_perf_vision, b"[infer] throughputRate: 1, moduleLatency: 2\n", r"no line \[e2e\]"),
    "half a line": (benchmark.read_perf_vision, b"[e2e] throughputRate: 1, lat\n", "malformed"),
    "negative": (benchmark.read_perf_vision, b"[e2e] throughputRate: -1, latency: 2\n", "throughputRate is '-1'"),
    "no top": (read_scores, b'{"value": [{"key": "a", "value": "b"}]}', "no `Top1 accuracy`"),
    "numbers": (read_scores, b'{"value": [{"key": "a", "value": 1}]}', "no accuracy file"),
    "over 100": (read_scores, b'{"value": [{"key": "Top1 accuracy", "value": "101%"}]}', "not a percentage"),
    "no sign": (read_scores, b'{"value": [{"key": "Top1 accuracy", "value": "76.4"}]}', "not a percentage"),
    "no images": (read_scores, b'{"value": [{"key": "Top1 accuracy", "value": "1%"}]}', "Number of images is ''"),
}


@pytest.mark.parametrize("kind", BROKEN)
def testmalformed_file_is_one_clear_line(tmp_path: Path, kind: str) -> None:
    read, content, why = BROKEN[kind]
    path = tmp_path / "report"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInput, match=why) as refused:
        read(path)
    assert str(path) in str(refused.value) and "\n" not in str(refused.value)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode), st.integers(0, 5))
def test_no_content_breaks_a_parser(tmp_path: Path, content: bytes, cut: int) -> None:
    """Neither noise nor a real report with noise in it, at any place."""
    for read in (aisbench.read_logs, aisbench.read_summary, benchmark.read_pure_infer, benchmark.read_perf_vision,
                 read_scores):  # fmt: skip
        for text in (content, RATE.encode()[: 9 * cut] + content, PURE.encode()[: 9 * cut] + content):
            path = tmp_path / "report"
            path.write_bytes(text)
            try:
                read(path)
            except BadInput as refused:
                assert "\n" not in str(refused)


# --- outputs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("suffix", [".txt", ".bin", ".npy"])
def test_outputs_are_read_by_name_whatever_they_count_from(tmp_path: Path, first: int, suffix: str) -> None:
    values = {"a": np.array([0.5, -1, 2], np.float32), "a_1": np.array([3, 4, 5], np.float32)}
    second = TensorSpec(name="aux", shape=("N", 1, 2))
    for name, value in values.items():
        for number, array in ((first, value), (first + 1, value[:2].reshape(1, 2))):
            path = tmp_path / f"{name}_{number}{suffix}"
            if suffix == ".txt":
                path.write_text(" ".join(f"{x:f}" for x in array.ravel()) + "\n")
            elif suffix == ".bin":
                array.tofile(path)
            else:
                np.save(path, array[None])
    (tmp_path / "sumary.json").write_text("{}")
    folder = OutputFolder(tmp_path)
    assert folder.first == first and folder.images == ("a", "a_1")
    assert np.array_equal(folder.read("a_1", (SCORES, second))["class"], values["a_1"])
    assert folder.read("a", (SCORES, second))["aux"].shape == (1, 2)
    assert folder.missing(["a", "b"]) == ("b",) and folder.extra(["a"]) == ("a_1",)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a_0.txt", b"1 2", "2 values, 3 expected: another model, or another output"),
        ("a_0.txt", b"", "0 values"),
        ("a_0.txt", b"1 2 three", "not a model output"),
        ("a_0.txt", b"\xff\xfe1", "not a model output"),
        ("a_0.bin", b"12345", "not a model output"),
        ("a_0.bin", b"\0" * 6, "6 bytes, 3 float32 values expected: float16"),
        ("a_0.bin", b"\0" * 16, "4 values, 3 expected: a model with a background class"),
        ("a_0.bin", b"\0" * 24, "6 values, 3 expected: float64"),
        ("a_0.txt", b"1 2 3 4 5 6", "6 values, 3 expected: a whole batch in one file"),
        ("a_0.npy", b"\x93NUMPY", "not a model output"),
        ("a_0.npy", b"", "not a model output"),
    ],
)
def testmalformed_output_is_named(tmp_path: Path, name: str, content: bytes, why: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=rf"{name}: .*{why}|{name}: {why}"):
        read_array(tmp_path / name, SCORES)


def test_no_pickle_is_opened(tmp_path: Path) -> None:
    np.save(tmp_path / "a_0.npy", np.array([{}], dtype=object))
    with pytest.raises(BadInput, match="not a model output"):
        read_array(tmp_path / "a_0.npy", SCORES)


def test_nan_is_passed_on_and_counted_later(tmp_path: Path) -> None:
    (tmp_path / "a_0.txt").write_text("nan 1 inf")
    assert np.isnan(read_array(tmp_path / "a_0.txt", SCORES)[0])


def test_two_files_for_one_output_are_refused(tmp_path: Path) -> None:
    for suffix in (".txt", ".bin"):
        (tmp_path / f"a_0{suffix}").write_bytes(b"")
    with pytest.raises(BadInput, match="a second file for the same output"):
        OutputFolder(tmp_path)

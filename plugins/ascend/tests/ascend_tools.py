"""Stand-ins for the tools of an Ascend host, which this machine lacks: they are found on PATH and really run the model.

An `.om` of the stub `atc` is a JSON file that holds where the ONNX file lies, its batch size and its chip. The stub
`ais_bench` and `benchmark` read it and run the ONNX file with ONNX Runtime, so that what comes back can be scored.
`STUB_ATC` chooses how atc fails.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from pathlib import Path

import pytest

ATC = r"""
import hashlib, json, os, pathlib, sys
arguments = sys.argv[1:]
with open(os.environ["STUB_CALLS"], "a") as stream:
    stream.write(json.dumps(["atc", *arguments]) + "\n")
options = dict(a[2:].split("=", 1) for a in arguments)
how = os.environ.get("STUB_ATC", "")
if how == "operators":
    print("ATC start working now, please wait for a moment.")
    for name, kind in (("Einsum_12", "Einsum"), ("Conv_52", "Convx"), ("Einsum_90", "Einsum")):
        print(f"E19010: No parser is registered for Op [{name}, optype [ai.onnx::11::{kind}]].")
    print("ATC run failed, Please check the detail log, Try 'atc --help' for more information")
    sys.exit(1)
if how == "nothing":
    print("ATC run success, welcome to the next use.")
    sys.exit(0)
import onnx
names = [i.name for i in onnx.load(options["model"], load_external_data=False).graph.input]
for part in options["input_shape"].split(";"):
    name, _, sizes = part.rpartition(":")
    if name not in names:
        print(f"E10016: Opname [{name}] specified in [--input_shape] is not found in the model. "
              "Confirm whether this node name exists, or the node is not split with the specified delimiter ';'.")
        sys.exit(1)
batch = int(options["input_shape"].rpartition(":")[2].split(",")[0])
om = {"onnx": str(pathlib.Path(options["model"]).resolve()), "batch": batch, "soc": options["soc_version"]}
text = "" if how == "empty" else json.dumps(om)
pathlib.Path(options["output"] + ".om").write_text(text)
print("ATC run success, welcome to the next use.")
sys.exit(3 if how == "fails after writing" else 0)
"""

RUNNER = r"""
import json, pathlib
import numpy as np


class Model:
    def __init__(self, om):
        import onnxruntime
        self.facts = json.loads(pathlib.Path(om).read_text())
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(self.facts["onnx"], options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0]
        self.shape = [self.facts["batch"], *self.input.shape[1:]]
        self.outputs = [o.name for o in self.session.get_outputs()]

    def run(self, batch):
        assert list(batch.shape) == self.shape, (batch.shape, self.shape)
        values = self.session.run(self.outputs, {self.input.name: batch})
        return values, 1.0 + 0.5 * len(batch)  # milliseconds of a chip that is never disturbed

    def over(self, files):
        size, (many, *shape) = self.facts["batch"], self.shape
        for start in range(0, len(files), size):
            part = files[start:start + size]
            rows = [np.fromfile(f, "<f4").reshape(shape) for f in part]
            rows += [rows[-1]] * (size - len(rows))
            values, spent = self.run(np.stack(rows).astype(np.float32))
            yield part, values, spent
"""

AIS_BENCH = r"""
import argparse, json, pathlib, re, statistics, sys
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import numpy as np
import os
from stub_runner import Model
with open(os.environ["STUB_CALLS"], "a") as stream:
    stream.write(json.dumps(["ais_bench", *sys.argv[1:]]) + "\n")
p = argparse.ArgumentParser()
for name in ("model", "input", "output", "output_dirname", "outfmt"):
    p.add_argument("--" + name)
for name, default in (("batchsize", 1), ("device", 0), ("loop", 1), ("warmup_count", 1)):
    p.add_argument("--" + name, type=int, default=default)
a = p.parse_args()
if os.environ.get("STUB_AIS_BENCH") == "fails":
    sys.exit("[ERROR] acl open device 0 failed, ret: 507033")
model = Model(a.model)
assert model.facts["batch"] == a.batchsize
out = pathlib.Path(a.output) / a.output_dirname
out.mkdir(parents=True, exist_ok=True)
times, filesinfo = [], {}
if a.input is None:
    zeros = np.zeros(model.shape, np.float32)
    for _ in range(a.loop):
        values, spent = model.run(zeros)
        times.append(spent)
    np.asarray(values[0]).tofile(out / "pure_infer_data_0.bin")
else:
    files = sorted(pathlib.Path(a.input).iterdir(), key=lambda f: [int(x) if x.isdigit() else x
                   for x in re.split(r"(\d+)", f.name)])
    if os.environ.get("STUB_AIS_BENCH") == "loses one":
        files = files[:-1]
    for part, values, spent in model.over(files):
        times.append(spent)
        for row, file in enumerate(part):
            stem = file.name.split(".")[0]
            filesinfo[str(len(filesinfo))] = {"infiles": [str(file)], "outfiles": []}
            for k, value in enumerate(values):
                if a.outfmt == "NPY":
                    np.save(out / f"{stem}_{k}.npy", value[row:row + 1])
                elif a.outfmt == "BIN":
                    value[row].tofile(out / f"{stem}_{k}.bin")
                else:
                    (out / f"{stem}_{k}.txt").write_text(" ".join("%f" % x for x in value[row].ravel()))
mean = statistics.fmean(times)


def summary(values):
    return {"min": min(values), "max": max(values), "mean": statistics.fmean(values),
            "median": statistics.median(values), "percentile(99%)": float(np.percentile(values, 99)),
            "count": len(values)}


document = {"filesinfo": filesinfo, "args": sys.argv,
            "NPU_compute_time": summary(times), "H2D_latency": summary([0.5] * len(times)),
            "D2H_latency": summary([0.25] * len(times)), "throughput": 1000 * a.batchsize / mean,
            "npu_compute_time_list": times, "pid": 1}
(pathlib.Path(a.output) / (a.output_dirname + "_summary.json")).write_text(json.dumps(document))
print("[INFO] -----------------Performance Summary------------------")
s = document["NPU_compute_time"]
print(f"[INFO] NPU_compute_time (ms): min = {s['min']}, max = {s['max']}, mean = {mean}, median = {s['median']}, "
      f"percentile(99%) = {s['percentile(99%)']}")
rate = 1000 * a.batchsize / mean
print(f"[INFO] throughput 1000*batchsize.mean({a.batchsize})/NPU_compute_time.mean({mean}): {rate}")
"""

BENCHMARK = r"""
import json, os, pathlib, statistics, sys
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import numpy as np
from stub_runner import Model
with open(os.environ["STUB_CALLS"], "a") as stream:
    stream.write(json.dumps(["benchmark", *sys.argv[1:]]) + "\n")
o = dict(a[1:].split("=", 1) for a in sys.argv[1:])
model, batch, device = Model(o["om_path"]), int(o["batch_size"]), o["device_id"]
assert model.facts["batch"] == batch
result = pathlib.Path("result")
result.mkdir(exist_ok=True)
name = pathlib.Path(o["om_path"]).stem
if "round" in o:
    spent = [model.run(np.zeros(model.shape, np.float32))[1] for _ in range(int(o["round"]))]
    each = statistics.fmean(spent) / batch
    saved = result / f"PureInfer_perf_of_{name}_in_device_{device}.txt"
    report = f"ave_throughputRate = {1000 / each:g}samples/s, ave_latency = {each:g}ms\n"
    saved.write_text(report)
    print(f"[INFO] Dataset number: {len(spent) - 1} finished cost {spent[-1]:g}ms")
    print(f"[INFO] PureInfer result saved in ./{saved}")
    print("-----------------PureInfer Performance Summary------------------")
    print(report)
else:
    dump = result / f"dumpOutput_device{device}"
    dump.mkdir(exist_ok=True)
    lines = [line.split(" ") for line in pathlib.Path(o["input_text_path"]).read_text().splitlines()]
    assert all(line[2:] == [o["input_width"], o["input_height"]] for line in lines)
    total = 0.0
    for part, values, spent in model.over([line[1] for line in lines]):
        total += spent
        for row, file in enumerate(part):
            for k, value in enumerate(values, start=1):
                if o["output_binary"] == "True":
                    value[row].tofile(dump / f"{pathlib.Path(file).stem}_{k}.bin")
                    continue
                text = " ".join("%f" % x for x in value[row].ravel())
                (dump / f"{pathlib.Path(file).stem}_{k}.txt").write_text(text)
    each = total / len(lines)
    rate = 1000 / each
    (result / f"perf_vision_batchsize_{batch}_device_{device}.txt").write_text(
        f"[e2e] throughputRate: {rate:.8g}, latency: {total:.8g}\n"
        f"[data read] throughputRate: {rate:g}, moduleLatency: {each:g}\n"
        f"[preprocess] throughputRate: {rate:g}, moduleLatency: {each:g}\n"
        f"[infer] throughputRate: {rate:g}, Interface throughputRate: {rate:g}, moduleLatency: {each:g}\n"
        f"[post] throughputRate: {rate:g}, moduleLatency: {each:g}\n")
"""

NPU_SMI = """\
+--------------------------------------------------------------------------------------------------------+
| npu-smi 23.0.rc3                                 Version: 23.0.rc3                                     |
+-------------------------------+-----------------+------------------------------------------------------+
| NPU     Name                  | Health          | Power(W)     Temp(C)           Hugepages-Usage(page) |
| Chip    Device                | Bus-Id          | AICore(%)    Memory-Usage(MB)                        |
+===============================+=================+======================================================+
| 0       CHIP0                 | OK              | 15.8         42                0    / 0              |
| 0       0                     | 0000:82:00.0    | 0            1074 / 21534                            |
+===============================+=================+======================================================+
| 1       CHIP1                 | OK              | 15.4         43                0    / 0              |
| 0       1                     | NA              | 0            1070 / 21534                            |
+===============================+=================+======================================================+
| NPU     Chip                  | Process id      | Process name             | Process memory(MB)        |
+===============================+=================+======================================================+
| 0       0                     | 48211           | python3                  | 812                       |
+===============================+=================+======================================================+
"""


def npu_smi(*chips: str) -> str:
    """What `npu-smi info` prints on a host with these two chips."""
    first, second = chips if len(chips) == 2 else (*chips, *chips)
    return NPU_SMI.replace("CHIP0", f"{first:<5}").replace("CHIP1", f"{second:<5}")


class Host:
    """The stand-ins on PATH, and what they were called with."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, *, tool: str = "ais_bench") -> None:
        self.bin = folder / "ascend-bin"
        self._calls = folder / "calls.jsonl"
        packages = folder / "ascend-python"
        self.bin.mkdir()
        packages.mkdir()
        self._script("python3", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        self._python("atc", ATC)
        if tool == "ais_bench":
            (packages / "ais_bench").mkdir()
            (packages / "ais_bench/__init__.py").write_text("")
            (packages / "ais_bench/__main__.py").write_text(AIS_BENCH)
            (packages / "ais_bench/stub_runner.py").write_text(RUNNER)
        elif tool:
            self._python(f"benchmark.{platform.machine()}", BENCHMARK)
            (self.bin / "stub_runner.py").write_text(RUNNER)
        path = f"{self.bin}{os.pathsep}{os.environ['PATH']}"
        for name in ("PORTER_ASCEND_ENV", "ASCEND_TOOLKIT_HOME", "ASCEND_HOME_PATH", "STUB_ATC", "STUB_AIS_BENCH"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("PATH", path)
        monkeypatch.setenv("PYTHONPATH", str(packages))
        monkeypatch.setenv("STUB_CALLS", str(self._calls))
        monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def chips(self, *names: str) -> None:
        """Let `npu-smi info` show these chips."""
        self._script("npu-smi", f"#!/bin/sh\ncat <<'END'\n{npu_smi(*names)}END\n")

    def calls(self, tool: str) -> list[list[str]]:
        """Arguments of every call of a tool so far."""
        lines = self._calls.read_text().splitlines() if self._calls.exists() else []
        return [call[1:] for call in map(json.loads, lines) if call[0] == tool]

    def _python(self, name: str, text: str) -> None:
        self._script(name, f"#!{sys.executable}\n{text}")

    def _script(self, name: str, text: str) -> None:
        path = self.bin / name
        path.write_text(text)
        path.chmod(0o755)

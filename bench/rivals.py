"""The other ways to do what porter does, each as it is usually written."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from porter.records.spec import PreprocessSpec


def plain_preprocess(data: bytes, spec: PreprocessSpec) -> np.ndarray:
    """Pillow and numpy, step by step as torchvision's transforms do it: float32 C×H×W, the bytes that porter gives."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    whole = round if spec.long_side == "round" else int
    width, height = image.size
    short = spec.resize
    size = (short, whole(short * height / width)) if width <= height else (whole(short * width / height), short)
    image = image.resize(size, Image.Resampling[spec.interpolation.upper()])
    left, top = round((image.width - spec.crop[1]) / 2), round((image.height - spec.crop[0]) / 2)
    image = image.crop((left, top, left + spec.crop[1], top + spec.crop[0]))
    array = np.asarray(image, np.float32) / np.float32(spec.divisor)
    normalized = (array - np.array(spec.mean, np.float32)) / np.array(spec.std, np.float32)
    return np.ascontiguousarray(normalized.transpose(2, 0, 1))


def bare_session(path: Path, threads: int) -> Callable[[np.ndarray], np.ndarray]:
    """An ONNX Runtime session with the settings that porter gives its own, and nothing around it."""
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads, settings.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(batch: np.ndarray) -> np.ndarray:
        outputs: np.ndarray = session.run(None, {name: batch})[0]
        return outputs

    return run


def guides_way(
    files: Sequence[Path],
    labels: Sequence[int],
    spec: PreprocessSpec,
    run: Callable[[np.ndarray], np.ndarray],
    size: int,
) -> float:
    """Three programs one after the other, with files in between, as the Ascend guides have it; returns top-1.

    Every image to a `.bin` of float32; every batch of `.bin` files to a text file of scores for each image; every text
    file to an answer.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for number, file in enumerate(files):
            plain_preprocess(file.read_bytes(), spec).tofile(folder / f"{number}.bin")
        for start in range(0, len(files), size):
            numbers = range(start, min(start + size, len(files)))
            batch = np.stack([np.fromfile(folder / f"{n}.bin", np.float32).reshape(3, *spec.crop) for n in numbers])
            for n, row in zip(numbers, run(batch), strict=True):
                (folder / f"{n}_1.txt").write_text(" ".join(f"{value:f}" for value in row))
        hits = 0
        for number, label in enumerate(labels):
            scores = [float(text) for text in (folder / f"{number}_1.txt").read_text().split()]
            hits += int(np.argmax(scores)) == label
        return hits / len(files)


def benchmark_app(path: Path, shape: tuple[int, ...], precision: str, seconds: float) -> float:
    """images/s of OpenVINO's own tool in its throughput mode."""
    tool = Path(sys.executable).with_name("benchmark_app")
    with tempfile.TemporaryDirectory() as temporary:
        command = [
            *(str(tool), "-m", str(path), "-d", "CPU", "-hint", "throughput", "-infer_precision", precision),
            *("-shape", f"[{','.join(map(str, shape))}]", "-t", str(max(1, round(seconds)))),
            *("-json_stats", "-report_type", "no_counters", "-report_folder", temporary),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        report = Path(temporary) / "benchmark_report.json"
        if done.returncode or not report.exists():
            raise RuntimeError(f"benchmark_app failed: {(done.stderr or done.stdout).strip().splitlines()[-1:]}")
        return float(json.loads(report.read_text())["execution_results"]["throughput"])

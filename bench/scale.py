"""How a run grows with the number of images: memory, time and the size of its record.

Usage: python bench/scale.py [--images 1000,10000,20000] [--keep DIR]

Makes folders of that many image files, which are hard links to a few real ones, and runs the whole path on each in a
process of its own: export, verify, evaluate (PyTorch and ONNX Runtime), bench and documents, of a model so small that
the rest is what is measured; then once more, when all is kept. Prints a line for each, and how the largest compares
with the others. The exit code is 1 where memory grew by more than 50 MB, or the time of an image by more than 10%:
the processors' time, which other programs on the machine change less than the clock's.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PHOTOS = 30
MEMORY, SLOWER = 50.0, 10.0
"""Megabytes and percent that the largest may have more than the smallest."""


def main() -> int:
    """Measure each size, the smallest first."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--images", default="1000,10000,20000", help="numbers of images, separated by commas")
    parser.add_argument("--keep", type=Path, help="work in this folder and leave it behind")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(run(options.keep, options.one)))  # noqa: T201
        return 0
    sizes = sorted(int(part) for part in options.images.split(","))
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        found = [measured(folder, size) for size in sizes]
    return compare(found[0], found[1 if len(found) > 2 else 0], found[-1])


def measured(folder: Path, images: int) -> dict[str, Any]:
    """One size, in a process of its own: its peak memory is that of nothing else."""
    make_images(folder, images)
    command = [sys.executable, __file__, "--one", str(images), "--keep", str(folder)]
    figures: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    print("  ".join(f"{name} {value:,}" for name, value in figures.items()), flush=True)  # noqa: T201
    return figures


def make_images(folder: Path, images: int) -> None:
    """`IMAGES/CLASS/NUMBER.jpg`, links to one of `PHOTOS` files of that class."""
    from tiny import CLASSES, write_photos

    photos = folder / "photos"
    if not photos.exists():
        write_photos(photos, [number % len(CLASSES) for number in range(PHOTOS)])
    originals = sorted(photos.iterdir())
    for number in range(images):
        place = folder / str(images) / str(number % len(CLASSES)) / f"{number:08}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            os.link(originals[number % PHOTOS], place)


def run(folder: Path, images: int) -> dict[str, Any]:
    """The whole path, and what it took."""
    from tiny import start

    out = folder / f"out-{images}"
    shutil.rmtree(out, ignore_errors=True)  # its journals would be taken up again
    whole = start(out, folder / str(images), None, threads=2, batch_sizes=(16,))
    seconds, cpu = {}, {}
    for stage in ("export", "verify", "evaluate", "bench", "deliver"):
        began, used = time.perf_counter(), time.process_time()
        getattr(whole, stage)()
        seconds[stage], cpu[stage] = time.perf_counter() - began, time.process_time() - used
    began = time.perf_counter()
    start(out, folder / str(images), None, threads=2, batch_sizes=(16,), fresh=False).everything()
    return {
        "images": images,
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        **{f"{stage}_s": round(spent, 1) for stage, spent in seconds.items()},
        "evaluate_ms_per_image": round(1000 * seconds["evaluate"] / images, 3),
        "evaluate_cpu_ms_per_image": round(1000 * cpu["evaluate"] / images, 3),
        "again_s": round(time.perf_counter() - began, 1),
        "run_json_kb": round((out / "run.json").stat().st_size / 1000, 1),
        "journal_bytes_per_image": round((out / "cache/predictions/reference.jsonl").stat().st_size / images),
    }


def compare(small: dict[str, Any], middle: dict[str, Any], large: dict[str, Any]) -> int:
    """Say how the largest compares; 1 where it has grown beyond what it may.

    The time is held against the middle one: what is spent once weighs on the smallest.
    """
    memory = large["peak_mb"] - small["peak_mb"]
    slower = 100 * (large["evaluate_cpu_ms_per_image"] / middle["evaluate_cpu_ms_per_image"] - 1)
    record = large["run_json_kb"] / small["run_json_kb"]
    print(  # noqa: T201
        f"{large['images']:,} images against {small['images']:,}: {memory:+.1f} MB of memory, "
        f"{slower:+.1f}% processor time of an image (against {middle['images']:,}); "
        f"run.json {record:.2f} times as large"
    )
    return int(memory > MEMORY or slower > SLOWER)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "tests"))
    sys.exit(main())

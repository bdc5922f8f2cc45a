"""Write preprocess.json: digests of the tensors that torchvision's transforms make of synthetic images.

Run it in an environment with torchvision, which porter itself does not need:

    pip install torch==2.14.1 torchvision==0.29.1 pillow==13.0.0
    python tests/golden/make_preprocess.py

The tests rebuild every image from its recipe (the functions below, which use nothing but numpy) and compare
`porter.images.pipeline.reference_pipeline` with these digests, bit for bit. The file says which versions made it.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
GOLDEN = Path(__file__).with_name("preprocess.json")
IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
SAMPLES = 5
"""Number of values of each tensor that are written beside its digest, evenly spaced, for the eye."""


def noise(height: int, width: int) -> Pixels:
    """Uniform noise; numpy keeps the stream of `RandomState` fixed."""
    return np.random.RandomState(height * 10007 + width).randint(0, 256, (height, width, 3)).astype(np.uint8)


def ramp(height: int, width: int) -> Pixels:
    """Smooth ramps, another in each channel."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 255 // max(width - 1, 1), y * 255 // max(height - 1, 1), (x * 3 + y * 5) % 256], -1).astype(
        np.uint8
    )


def checker(height: int, width: int, square: int = 2) -> Pixels:
    """Black and white squares of 2 pixels."""
    y, x = np.mgrid[0:height, 0:width]
    return np.repeat((((x // square + y // square) % 2) * 255).astype(np.uint8)[:, :, None], 3, axis=2)


def fine_checker(height: int, width: int) -> Pixels:
    """Black and white squares of 1 pixel."""
    return checker(height, width, square=1)


def blocks(height: int, width: int) -> Pixels:
    """Squares of 7 pixels in random colours: edges everywhere, where filters differ most."""
    small = np.random.RandomState(7).randint(0, 256, (-(-height // 7), -(-width // 7), 3)).astype(np.uint8)
    return np.ascontiguousarray(small.repeat(7, axis=0).repeat(7, axis=1)[:height, :width])


RECIPES: dict[str, Callable[[int, int], Pixels]] = {f.__name__: f for f in (noise, ramp, checker, fine_checker, blocks)}


def cases() -> Iterator[tuple[str, tuple[int, int], dict[str, Any]]]:
    """Recipe, height and width of the image, and the fields of the spec."""
    imagenet = {"resize": 256, "crop": [224, 224], **IMAGENET}
    landscape = ((375, 500), (333, 500), (300, 401), (257, 258), (256, 341), (200, 301), (100, 257))
    for height, width in landscape:
        yield "noise", (height, width), imagenet
        yield "noise", (width, height), imagenet  # portrait
    for size in ((256, 256), (255, 255), (512, 512), (224, 224), (64, 64), (1, 1), (2, 3), (1, 300), (300, 1)):
        yield "ramp", size, imagenet
    for filter_name in ("bilinear", "bicubic", "nearest", "lanczos"):
        for recipe, size in (("blocks", (241, 322)), ("noise", (120, 91)), ("ramp", (513, 300))):
            yield recipe, size, {**imagenet, "interpolation": filter_name}
    for crop in ([192, 192], [223, 223], [225, 224], [256, 256], [1, 1], [64, 200], [255, 128]):
        yield "noise", (301, 402), {**imagenet, "crop": crop}
    # The crop is larger than the resized image, in one direction or in both, by an odd or an even number of pixels.
    for crop in ([288, 288], [289, 257], [300, 200], [200, 400], [257, 224]):
        yield "noise", (256, 256), {**imagenet, "crop": crop}
        yield "ramp", (300, 340), {**imagenet, "crop": crop}
    yield "noise", (90, 110), {"resize": 73, "crop": [64, 64], **IMAGENET, "interpolation": "bicubic"}
    yield "noise", (90, 110), {"resize": 73, "crop": [64, 64], **IMAGENET}
    yield "noise", (240, 320), {"resize": 224, "crop": [192, 192], **IMAGENET}
    yield "noise", (240, 320), {**imagenet, "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}
    yield "noise", (240, 320), {**imagenet, "mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0]}
    yield "checker", (512, 512), imagenet
    yield "checker", (512, 512), {**imagenet, "interpolation": "bicubic"}
    yield "fine_checker", (512, 512), imagenet
    yield "blocks", (1200, 1600), imagenet


def tensor(pixels: Pixels, spec: dict[str, Any]) -> NDArray[np.float32]:
    """torchvision's tensor for `pixels`."""
    from PIL import Image
    from torchvision import transforms
    from torchvision.transforms import InterpolationMode

    pipeline = transforms.Compose(
        [
            transforms.Resize(spec["resize"], InterpolationMode(spec.get("interpolation", "bilinear"))),
            transforms.CenterCrop(spec["crop"]),
            transforms.ToTensor(),
            transforms.Normalize(spec["mean"], spec["std"]),
        ]
    )
    result: NDArray[np.float32] = pipeline(Image.fromarray(pixels)).numpy()
    return result


def describe(array: NDArray[np.float32]) -> dict[str, Any]:
    """Digest of a tensor's bytes (little endian, C order), its shape, and a few of its values."""
    flat = np.ascontiguousarray(array, dtype="<f4").ravel()
    picked = flat[[i * flat.size // SAMPLES for i in range(SAMPLES)]]
    return {
        "shape": list(array.shape),
        "sha256": hashlib.sha256(flat.tobytes()).hexdigest(),
        "samples": [float(f"{v:.6g}") for v in picked],
    }


def main() -> None:
    import PIL
    import torch
    import torchvision

    entries = [
        {"recipe": recipe, "size": list(size), "spec": spec, **describe(tensor(RECIPES[recipe](*size), spec))}
        for recipe, size, spec in cases()
    ]
    made_with = {
        "torchvision": torchvision.__version__,
        "torch": torch.__version__,
        "pillow": PIL.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
    lines = ",\n".join(json.dumps(entry) for entry in entries)
    GOLDEN.write_text(f'{{"made_with": {json.dumps(made_with)},\n"cases": [\n{lines}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()

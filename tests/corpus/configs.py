"""Configs: porter's own yaml of the plugin `onnx`, and the official yaml of `hrnet`."""

from __future__ import annotations

import os
from pathlib import Path

from corpus.case import CANARY, Case
from corpus.good import HRNET, YAML

ONNX = "run onnx --config tiny.yaml --data val --labels labels.txt --out out"
HRNET_RUN = "run hrnet --config hrnet.yaml --checkpoint hrnet.pth --data val --labels labels.txt --out out"
EXPORT = "export onnx --config tiny.yaml --out out"

BOMB = "a: &a [x, x]\n" + "".join(
    f"{b}: &{b} [*{a}, *{a}, *{a}, *{a}]\n" for a, b in zip("abcdefghi", "bcdefghij", strict=True)
)
"""Ten lists, each four times the one before: 500,000 entries from 300 bytes."""


ODD_BUT_RIGHT = """\
model: tiny.onnx
name: 0123e5
licence: 1_000
preprocess:
  resize: 1.8e1
  crop: (16, 16)
  mean: [5e-1]
  std: (5e-1, 5e-1, 5e-1)
labels: {names: [on, 010, 1e3]}
"""
"""Tuples, exponents, and text that YAML 1.1 takes for numbers and booleans."""


def _yaml(old: str, new: str) -> dict[str, str]:
    assert old in YAML
    return {"tiny.yaml": YAML.replace(old, new)}


def _more(text: str) -> dict[str, str]:
    return {"tiny.yaml": YAML + text}


def _hrnet(old: str, new: str) -> dict[str, str]:
    assert old in HRNET
    return {"hrnet.yaml": HRNET.replace(old, new)}


def _pipe(path: Path) -> None:
    os.mkfifo(path)


CASES = [
    # --- the file itself
    Case(name="absent", command=ONNX.replace("tiny.yaml", "absent.yaml"), says="--config absent.yaml: no such file"),
    Case(name="a folder", command=ONNX.replace("tiny.yaml", "val"), says="--config val: a folder, not a file"),
    Case(name="a pipe", command=ONNX, says="tiny.yaml: not a regular file", files={"tiny.yaml": _pipe}),
    Case(
        name="a name with a line break",
        command=f"{EXPORT} --config 'a\nporter: error: b'",
        says=r"--config a porter: error: b: no such file",
    ),
    Case(name="empty", command=ONNX, says="the file is empty; a config is needed", files={"tiny.yaml": ""}),
    Case(name="only comments", command=ONNX, says="the file is empty", files={"tiny.yaml": "# model: tiny.onnx\n"}),
    Case(
        name="two megabytes",
        command=ONNX,
        says="2.1 MB; config: 1 MB is the limit",
        files={"tiny.yaml": "#" * (2 << 20)},
    ),
    Case(name="UTF-16", command=ONNX, says=r"not UTF-8 text \(byte 0\)", files={"tiny.yaml": YAML.encode("utf-16")}),
    Case(
        name="a NUL", command=ONNX, says="not a plain YAML file: .*special characters", files=_more("title: 'a\0b'\n")
    ),
    Case(name="a list", command=ONNX, says="expected a mapping of keys, found list", files={"tiny.yaml": "- model\n"}),
    Case(name="a scalar", command=ONNX, says="expected a mapping of keys, found str", files={"tiny.yaml": "model\n"}),
    Case(
        name="two documents",
        command=ONNX,
        says="not a plain YAML file: line 7: but found another document",
        files=_more("---\nmodel: other.onnx\n"),
    ),
    Case(
        name="a tab for indentation",
        command=ONNX,
        says=r"not a plain YAML file: line \d+: found character '\\t'",
        files=_more("labels:\n\tclasses: 3\n"),
    ),
    # --- what is hostile
    Case(
        name="a function to call",
        command=ONNX,
        says="not a plain YAML file: line 1: could not determine a constructor",
        files=_yaml("tiny.onnx", f"!!python/object/apply:os.system ['touch {CANARY}']"),
    ),
    Case(
        name="an object to make",
        command=ONNX,
        says="could not determine a constructor",
        files=_yaml("tiny.onnx", "!!python/object/new:os.system [touch canary]"),
    ),
    Case(
        name="a function to call, in hrnet",
        command=HRNET_RUN,
        says="could not determine a constructor",
        files=_hrnet("cls_hrnet", f"!!python/object/apply:os.system ['touch {CANARY}']"),
    ),
    Case(name="aliases ten deep", command=ONNX, says="aliases in a config: 32 is the limit", files=_more(BOMB)),
    Case(
        name="aliases ten deep, in hrnet",
        command=HRNET_RUN,
        says="aliases in a config: 32 is the limit",
        files={"hrnet.yaml": HRNET + BOMB},
    ),
    Case(
        name="a list within itself",
        command=ONNX,
        says=r"tiny.yaml, line \d+: title: text is needed, found a list",
        files=_more("title: &a [*a]\n"),
    ),
    Case(
        name="ten thousand brackets",
        command=ONNX,
        says="levels of a config: 50 is the limit",
        files={"tiny.yaml": "a: " + "[" * 10_000},
    ),
    Case(
        name="a number of 5,000 digits",
        command=HRNET_RUN,
        says="line 3: too long; digits of a number in a config: 100 is the limit",
        files=_hrnet("NUM_CLASSES: 3", "NUM_CLASSES: " + "9" * 5000),
    ),
    Case(
        name="a network of 10^11 weights",
        command=HRNET_RUN,
        says="MODEL.EXTRA: describes a network of more than",
        files=_hrnet(
            "NUM_BLOCKS: [1, 1], NUM_CHANNELS: [2, 4]", "NUM_BLOCKS: [1024, 1024], NUM_CHANNELS: [4096, 4096]"
        ),
    ),
    Case(
        name="terminal controls in a key",
        command=ONNX,
        says=r"tiny.yaml, line \d+: \\x1b\[2Jmodle: unknown key",
        files=_more('"\\e[2Jmodle": x\n'),
    ),
    Case(
        name="a mark that reverses text, in a key",
        command=ONNX,
        says=r"tiny.yaml, line \d+: \\u202eledom: unknown key",
        files=_more("\u202eledom: x\n"),
    ),
    # --- keys
    Case(
        name="a mistyped key",
        command=ONNX,
        says=r"tiny.yaml, line \d+: preproces: unknown key. Did you mean 'preprocess'",
        files=_yaml("preprocess", "preproces"),
    ),
    Case(
        name="a mistyped nested key",
        command=ONNX,
        says="preprocess.meen: unknown key. Did you mean 'mean'",
        files=_yaml("mean", "meen"),
    ),
    Case(
        name="a key of nothing like it",
        command=ONNX,
        says=r"tiny.yaml, line \d+: zzz: unknown key; known: model, sha256",
        files=_more("zzz: 1\n"),
    ),
    Case(
        name="a key given twice",
        command=ONNX,
        says="line 7: key 'model' is given twice",
        files=_more("model: other.onnx\n"),
    ),
    Case(
        name="a key without a value",
        command=ONNX,
        says="preprocess.resize: has no value",
        files=_yaml("resize: 18", "resize:"),
    ),
    Case(
        name="a key missing",
        command=ONNX,
        says="preprocess.std: missing, and not in the ONNX file",
        files=_yaml("  std: 0.5\n", ""),
    ),
    Case(
        name="a mistyped key, in hrnet",
        command=HRNET_RUN,
        says=r"hrnet.yaml, line \d+: MODEL.NUM_CLASES: unknown key. Did you mean 'NUM_CLASSES'",
        files=_hrnet("NUM_CLASSES", "NUM_CLASES"),
    ),
    Case(
        name="no MODEL, in hrnet",
        command=HRNET_RUN,
        says="hrnet.yaml: MODEL: missing; every official HRNet config has it. Did you mean 'MODLE'",
        files=_hrnet("MODEL:", "MODLE:"),
    ),
    # --- values
    Case(
        name="text for a number",
        command=ONNX,
        says="preprocess.resize: a whole number is needed, found 'big'",
        files=_yaml("18", "big"),
    ),
    Case(
        name="a fraction for a whole number",
        command=ONNX,
        says="preprocess.resize: a whole number is needed, found '1e-4'",
        files=_yaml("18", "1e-4"),
    ),
    Case(
        name="nan",
        command=ONNX,
        says="preprocess.std: a number is needed, found 'nan'",
        files=_yaml("std: 0.5", "std: nan"),
    ),
    Case(
        name="infinity", command=ONNX, says="preprocess.std: 'inf' is not within", files=_yaml("std: 0.5", "std: inf")
    ),
    Case(
        name="zero deviation",
        command=ONNX,
        says="preprocess.std: '0' is not within 1e-09",
        files=_yaml("std: 0.5", "std: 0"),
    ),
    Case(
        name="a list for a mapping",
        command=ONNX,
        says=r"tiny.yaml, line \d+: input: a mapping is needed, found a list",
        files=_yaml("{size: [16, 16]}", "[16, 16]"),
    ),
    Case(
        name="four sizes",
        command=ONNX,
        says=r"input.size: expected one or two numbers \(height, width\), found 4",
        files=_yaml("{size: [16, 16]}", "\n  size: (1, 3, 16, 16)"),
    ),
    Case(
        name="a size that the file contradicts",
        command=ONNX,
        says=r"input.size: \[32, 32\], but .*tiny.onnx takes",
        files=_yaml("{size: [16, 16]}", "\n  size: (32, 32)"),
    ),
    Case(
        name="an unknown word",
        command=ONNX,
        says="preprocess.interpolation: 'bilinaer' is not supported.*Did you mean 'bilinear'",
        files=_yaml("resize: 18", "resize: 18\n  interpolation: bilinaer"),
    ),
    Case(
        name="an unknown task",
        command=ONNX,
        code=3,
        says="unknown task 'clasification'. Did you mean 'classification'",
        files=_more("task: clasification\n"),
    ),
    Case(
        name="an empty model",
        command=ONNX,
        says=r"tiny.yaml, line \d+: model: empty. Name the .onnx file",
        files=_yaml("tiny.onnx", "''"),
    ),
    Case(
        name="a model that is a folder",
        command=ONNX,
        says="val: a folder; the ONNX file must be a file",
        files=_yaml("tiny.onnx", "val"),
    ),
    Case(
        name="a model that is absent",
        command=ONNX,
        says="absent.onnx: no such file",
        files=_yaml("tiny.onnx", "absent.onnx"),
    ),
    Case(
        name="a digest of five characters",
        command=ONNX,
        says="sha256: 64 hex digits are needed, found 6 characters",
        files=_more("sha256: 0123e5\n"),
    ),
    Case(
        name="another digest",
        command=ONNX,
        says="tiny.onnx: sha256 is [0-9a-f]{64}, expected 0{64}",
        files=_more(f"sha256: {'0' * 64}\n"),
    ),
    Case(
        name="class names from a device",
        command=ONNX,
        says=r"labels\.names: '/dev/zero' leads out of the folder of the yaml; copy the file there",
        files=_more("labels: {names: /dev/zero}\n"),
    ),
    Case(
        name="more names than classes",
        command=ONNX,
        says="labels.names.*4.*3",
        files=_more("labels: {names: [a, b, c, d]}\n"),
    ),
    Case(
        name="a pattern that is none",
        command=ONNX,
        says=r"reference.image_pattern: not a regular expression",
        files=_more("reference: {source: s, dataset: d, images: 9, top1: 90, image_pattern: '['}\n"),
    ),
    Case(
        name="a date that is none, in hrnet",
        command=HRNET_RUN,
        says="hrnet.yaml: a value cannot be read: month must be in 1..12",
        files=_hrnet("NUM_CLASSES: 3", "NUM_CLASSES: 2024-13-45"),
    ),
    Case(
        name="no multiple of 32, in hrnet",
        command=HRNET_RUN,
        says=r"MODEL.IMAGE_SIZE: \[33, 33\]: must be multiples of 32",
        files=_hrnet("[32, 32]", "[33, 33]"),
    ),
    # --- what looks wrong and is right
    Case(
        name="tuples, exponents, and text that looks like numbers",
        command=EXPORT,
        code=0,
        leaves=("models", "run.json"),
        says="export: done",
        files={"tiny.yaml": ODD_BUT_RIGHT},
    ),
]

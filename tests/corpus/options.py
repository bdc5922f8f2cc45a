"""Options of the command line."""

from __future__ import annotations

from pathlib import Path

import onnx

from corpus.case import Case
from corpus.configs import ONNX
from corpus.good import strongest_colour


def large(path: Path) -> None:
    """Takes images of 8192 x 8192 pixels."""
    model = strongest_colour()
    for axis in (2, 3):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_value = 8192
    onnx.save(model, path)


CASES = [
    Case(
        name="a mistake in a run two folders down",
        command=ONNX.replace("--out out", "--runtime onnxruntim --out a/b"),
        says="unknown runtime 'onnxruntim'",
        code=3,
    ),
    Case(name="no command", command="rnu", says="no such command 'rnu'. Did you mean 'run'"),
    Case(name="no model", command="run", says="Missing argument 'MODEL'"),
    Case(
        name="a mistyped model",
        command="run onxn",
        says="unknown model 'onxn'. Did you mean 'onnx'",
    ),
    Case(name="a mistyped option", command=f"{ONNX} --precison fp32", says="No such option.*--precison"),
    Case(
        name="a model with terminal controls",
        command="run '\x1b]0;owned\x07'",
        says=r"unknown model '\\\\x1b\]0;owned\\\\x07'|unknown model '\\x1b\]0;owned\\x07'",
    ),
    Case(
        name="a model that is a path",
        command="run ../../etc/passwd",
        says="unknown model '../../etc/passwd'",
    ),
    Case(
        name="a batch beyond all memory",
        command=f"{ONNX.replace('tiny.yaml', 'large.yaml')} --batch-sizes 99999",
        says=r"--batch-sizes 99999: the input alone needs 74999\.2 GiB",
        files={
            "large.yaml": "model: large.onnx\npreprocess: {resize: 8192, mean: 0.5, std: 0.5}\n",
            "large.onnx": large,
        },
    ),
    Case(
        name="a batch of zero",
        command=f"{ONNX} --batch-sizes 1,0",
        says="'1,0' is not a list of batch sizes; example: 1,4,8",
    ),
    Case(name="a batch of 10^20", command=f"{ONNX} --batch-sizes {10**20}", says="is not a list of batch sizes"),
    Case(name="nan for a tolerance", command=f"{ONNX} --atol nan", says="'nan' is not a finite number"),
    Case(name="a negative limit", command=f"{ONNX} --limit -1", says="--limit"),
    Case(name="no language", command=f"{ONNX} --lang en,fr", says="'en,fr' is not a list of en, zh"),
    Case(
        name="an opset that the file has not", command=f"{ONNX} --opset 12", says="--opset 12: .*tiny.onnx has opset 11"
    ),
    Case(
        name="an unknown runtime",
        command=f"{ONNX} --runtime onnxruntim",
        code=3,
        says="unknown runtime 'onnxruntim'. Did you mean 'onnxruntime'",
    ),
    Case(
        name="an unknown provider",
        command=f"{ONNX} --provider cuda0",
        code=3,
        says="provider 'cuda0': not in this ONNX Runtime",
    ),
    Case(
        name="a precision that the runtime lacks",
        command=f"{ONNX} --precision bf16",
        says="onnxruntime has no bf16 on this machine",
    ),
    Case(
        name="a digest that is none",
        command=f"{ONNX} --checkpoint tiny.onnx --checkpoint-md5 x",
        says=r"'x' is not a md5 digest \(32 hex digits",
    ),
    Case(
        name="out in a file",
        command=ONNX.replace("--out out", "--out tiny.yaml"),
        says="--out tiny.yaml: tiny.yaml is a file",
    ),
    Case(
        name="out below a file",
        command=ONNX.replace("--out out", "--out tiny.yaml/a/b"),
        says="--out tiny.yaml/a/b: .*/tiny.yaml is a file",
    ),
    Case(
        name="a name of 300 characters",
        command=ONNX.replace("--out out", f"--out {'o' * 300}"),
        says="o{300}.*[Ff]ile name too long",
    ),
    Case(
        name="out of a project of the user's own",
        command=ONNX.replace("--out out", "--out val"),
        says=r"--out val: contains a README\.md that no run wrote",
        files={"val/README.md": "mine"},
    ),
    Case(
        name="labels without data",
        command="run hrnet --labels labels.txt --out out",
        says="--labels labels.txt. Use --data DIR as well",
    ),
    Case(
        name="a config without a checkpoint",
        command="run hrnet --config hrnet.yaml --out out",
        says="model 'hrnet' needs --checkpoint FILE with --config hrnet.yaml",
    ),
    Case(
        name="a checkpoint without a config",
        command="run hrnet --checkpoint hrnet.pth --out out",
        says="model 'hrnet' needs --config YAML with --checkpoint",
    ),
    Case(
        name="a stage before there is a run",
        command="verify --out new",
        says=r"new/run\.json: no run found\. Name a MODEL",
    ),
    Case(
        name="a graph alone",
        command="diagnose graphs --reference tiny.onnx",
        says="Missing option '--candidate'",
    ),
    Case(
        name="a plugin of a bad name",
        command="new plugin ../evil",
        says="NAME '../evil': use lower-case letters and digits.*Try evil",
    ),
    Case(
        name="a plugin of a shell's name",
        command="new plugin '$(touch canary)'",
        says=r"NAME '\$\(touch canary\)': use lower-case",
    ),
]

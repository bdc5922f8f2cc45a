"""What the two forms of an Ascend delivery say: names, commands and figures of one run, each from its record."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from porter import (
    NOT_REPORTED,
    Evaluation,
    FormRequest,
    HostFacts,
    InputFile,
    ModelSpec,
    Performance,
    RunRecord,
    SessionInfo,
    TensorSpec,
    one_line,
    shell_word,
)
from porter_ascend import atc, benchmark, scores
from porter_ascend.speed import IMAGES as IMAGES_OF_SET

RUNTIME = "ascend"
MISSING = "**未记录，请补充**"
"""Stands where nobody said what belongs there, in letters that no reader overlooks."""
UNMEASURED = "未测"
IMAGENET = "http://www.image-net.org/"
PRETTY = re.compile(r"[^A-Za-z0-9_.-]+")
USUAL_BATCH, ROUNDS, LOOPS = 16, 20, 100
TOOLKIT = "/usr/local/Ascend/ascend-toolkit/set_env.sh"
IMAGES, LABELS = "/opt/npu/imagenet/val", "val_label.txt"
BINS = "./prep_dataset"


@dataclass(frozen=True)
class Delivery:
    """One record, as the forms see it. Paths are those that the platform's guides use."""

    request: FormRequest

    @property
    def run(self) -> RunRecord:
        return self.request.record

    @cached_property
    def model(self) -> ModelSpec:
        assert self.run.model is not None  # a form is filled in for a known model
        return self.run.model

    @cached_property
    def facts(self) -> HostFacts:
        """What the user states; empty where nothing was."""
        return self.run.host_facts or HostFacts()

    # --- names ------------------------------------------------------------------------------------------------

    @property
    def title(self) -> str:
        """The model's name in a heading, without what it does."""
        plain = re.sub(r" (image )?classification$", "", self.model.title or self.model.name)
        return re.sub(r"\s+", "-", plain)

    @property
    def name(self) -> str:
        """The model's name in commands and file names."""
        return PRETTY.sub("_", self.model.name)

    @property
    def onnx(self) -> str:
        """The exported file."""
        if self.run.export is not None:
            return PurePosixPath(self.run.export.path).name
        variant = "" if self.model.variant in ("", self.model.name) else f"_{self.model.variant}"
        return f"{PRETTY.sub('_', f'{self.model.name}{variant}')}.onnx"

    def om(self, batch: object) -> str:
        """An offline model, without its suffix."""
        return f"{self.name}_bs{batch}"

    @property
    def export_script(self) -> str:
        return f"{self.name}_pth2onnx.py"

    @property
    def config(self) -> str:
        """File name of the model's config; empty: the model has none, or it is not known."""
        read = self._input("config")
        return "" if read is None else one_line(PurePosixPath(read.path).name)

    @property
    def checkpoint(self) -> str:
        """File name of the weights."""
        read = self._input("checkpoint")
        return one_line(self.facts.checkpoint or (PurePosixPath(read.path).name if read else ""))

    @property
    def md5(self) -> str:
        return self.facts.checkpoint_md5 or self.run.request.checkpoint_md5 or ""

    @property
    def sha256(self) -> str:
        """Of the weights, where the run read them."""
        read = self._input("checkpoint")
        return "" if read is None else read.sha256

    def _input(self, role: str) -> InputFile | None:
        return next((file for file in (*self.run.inputs, *self.run.made_from) if file.role == role), None)

    # --- the model --------------------------------------------------------------------------------------------

    @property
    def opset(self) -> int | None:
        """Of the ONNX file that was converted."""
        if self.run.export is not None:
            return self.run.export.facts.opset
        return self.facts.opset or self.model.opset  # of a kit, the model's is that of the file in it

    @property
    def tensor(self) -> TensorSpec:
        """The input that takes the images."""
        return self.model.inputs[0]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the input in pixels."""
        height, width = self.model.image.crop
        return width, height

    @property
    def commit(self) -> str:
        """Of the authors' code: as the user states it, else the one that the network was checked against."""
        return self.facts.code_commit or self.model.code_commit

    @property
    def code(self) -> str:
        """Address of the authors' code that git can clone."""
        found = re.match(r"https://[^\s,;]+", self.model.code)
        return found[0] if found else ""

    @property
    def folder(self) -> str:
        """What git names the clone."""
        return PurePosixPath(self.code).name.removesuffix(".git") if self.code else ""

    def dims(self, tensor: TensorSpec) -> str:
        """A shape in the platform's words."""
        return " x ".join("batchsize" if size == "N" else str(size) for size in tensor.shape)

    # --- the host ---------------------------------------------------------------------------------------------

    @cached_property
    def sessions(self) -> tuple[SessionInfo, ...]:
        """What ran on the chip."""
        return (*(one.session for one in self.evaluations), *(one.session for one in self.speeds))

    @property
    def chip(self) -> str:
        """As atc names it."""
        if self.facts.chip:
            return one_line(self.facts.chip)
        asked = self.run.request.target_of(RUNTIME)
        named = (re.match(r"Ascend\w+", one.provider) for one in self.sessions)
        return one_line(asked or next((found[0] for found in named if found), ""))

    @property
    def cann(self) -> str:
        known = (one.version for one in self.sessions if one.version not in ("", NOT_REPORTED))
        return self.facts.version("CANN") or next(known, "")

    def version(self, name: str) -> str:
        """Of a package: as the user states it, else as the run has it."""
        packages = {} if self.run.environment is None else self.run.environment.packages
        here = next((version for known, version in packages.items() if known.lower() == name.lower()), "")
        return self.facts.version(name) or here.partition("+")[0]

    @property
    def python(self) -> str:
        here = "" if self.run.environment is None else self.run.environment.python
        return self.facts.version("Python") or here

    @property
    def tools(self) -> dict[str, str]:
        """Further software that the user states."""
        named = {"cann", "python", *(one.lower() for one in self.packages)}
        return {name: version for name, version in self.facts.versions.items() if name.lower() not in named}

    def pinned(self, name: str) -> str:
        """The distribution with the version that the run had; as it is where none ran here."""
        packages = {} if self.run.environment is None else self.run.environment.packages
        here = next((version for known, version in packages.items() if known.lower() == name), "").partition("+")[0]
        return f"{name}=={here}" if re.fullmatch(r"[0-9][0-9A-Za-z.]*", here) else name

    @property
    def packages(self) -> tuple[str, ...]:
        """Distributions that the scripts import."""
        more = self.request.standalone.requirements if self.request.standalone else ()
        return tuple(dict.fromkeys(("torch", "onnx", "numpy", "pillow", *more)))

    # --- figures ----------------------------------------------------------------------------------------------

    @cached_property
    def speeds(self) -> tuple[Performance, ...]:
        """Speed on the chip, by batch size."""
        return tuple(one for one in self.run.performance if one.session.runtime == RUNTIME)

    @cached_property
    def evaluations(self) -> tuple[Evaluation, ...]:
        """Accuracy on the chip."""
        return tuple(one for one in self.run.evaluations if one.session.runtime == RUNTIME and one.metrics)

    @property
    def scored(self) -> Evaluation | None:
        """The first of them."""
        return next(iter(self.evaluations), None)

    def evaluation(self, batch: int) -> Evaluation | None:
        """The accuracy at a batch size; of one whose batch size is not stated, at any."""
        at = {one.session.batch or one.batch: one for one in self.evaluations}
        return at.get(batch, at.get(None))

    @property
    def devices(self) -> int | None:
        """Chips of a card, where rates of a card are computed."""
        return next((one.card.devices for one in self.speeds if one.card is not None), None)

    @property
    def tools_used(self) -> tuple[str, ...]:
        """What measured the speed."""
        return tuple(dict.fromkeys(one.clock for one in self.speeds if one.clock))

    @property
    def reference(self) -> Evaluation | None:
        """Accuracy of the model in PyTorch."""
        return next((one for one in self.run.evaluations if one.name == "reference" and one.metrics), None)

    @property
    def passed(self) -> bool | None:
        """Whether the accuracy on the chip holds; None: it was not measured, or there is nothing to compare it with."""
        names = {one.name for one in self.evaluations}
        found = [one.passed for one in self.run.comparisons if one.evaluation in names and one.passed is not None]
        return all(found) if found else None

    @property
    def batches(self) -> tuple[int, ...]:
        """Batch sizes of the offline models."""
        kits = [size for kit in self.run.kits if kit.runtime == RUNTIME for size in kit.batches]
        measured = sorted({one.batch for one in self.speeds} | set(kits))
        return tuple(measured) or self.run.request.batch_sizes

    @property
    def batch(self) -> int:
        """The batch size that commands show."""
        return USUAL_BATCH if USUAL_BATCH in self.batches else max(self.batches)

    @property
    def images(self) -> int | None:
        """Images behind the accuracy."""
        counts = [one.listed for one in (*self.evaluations, *self.run.evaluations)]
        return counts[0] if counts else self.model.published.images if self.model.published else None

    @property
    def result(self) -> str:
        """`result.json` of the accuracy on the chip; empty: not measured."""
        document = scores.scores_document(self.evaluations[0].metrics, self.model) if self.evaluations else None
        return "" if document is None else document.decode().strip()

    @property
    def pure(self) -> tuple[Performance, ...]:
        """Inference alone."""
        return tuple(one for one in self.speeds if one.input != IMAGES_OF_SET)

    @property
    def over_set(self) -> tuple[Performance, ...]:
        """The chip's own rate while a whole data set went through."""
        return tuple(one for one in self.speeds if one.input == IMAGES_OF_SET)

    @property
    def tool(self) -> str:
        """What measured, as the guide calls it."""
        return next(iter(self.tools_used), benchmark.TOOL)

    @property
    def levels(self) -> dict[str, str]:
        """`modelzoo_level.txt`: it ran, its speed was measured, its accuracy holds."""
        found = {"FuncStatus": bool(self.sessions), "PerfStatus": bool(self.speeds), "PrecisionStatus": self.passed}
        return {name: "OK" if holds else "NOK" for name, holds in found.items()}

    # --- commands ---------------------------------------------------------------------------------------------

    @property
    def clone(self) -> str:
        if not self.code:
            return ""
        lines = [f"git clone {shell_word(self.code)}"]
        if self.commit:
            lines += [f"cd {shell_word(self.folder)}", f"git checkout {shell_word(self.commit)}", "cd .."]
        return "\n".join(lines)

    @property
    def export(self) -> str:
        config = ["--cfg", f"./{self.config or 'CONFIG.yaml'}"] if self.takes_config else []
        trust = ["--trust"] if self.run.load is not None and not self.run.load.safe else []
        weights = ["--input", f"./{self.checkpoint or 'CHECKPOINT'}", "--output", self.onnx]
        opset = ["--opset", "OPSET"] if self.opset is None else []
        return " ".join(map(shell_word, ["python3", self.export_script, *config, *weights, *opset, *trust]))

    @property
    def takes_config(self) -> bool:
        """Whether the network is built from a config."""
        return self.request.standalone is not None and self.request.standalone.takes_config

    def atc(self, batch: object, *, log: str, chip: str, lines: bool = False) -> str:
        """One call of atc, on a line or with one flag a line."""
        shape = atc.input_shape(self.model.inputs, self.model.fixed_batch or 1)
        head, rest = shape.split(":", 1)[0], shape.split(",", 1)[1]
        flags = [
            "--framework=5",
            shell_word(f"--model=./{self.onnx}"),
            "--input_format=NCHW",
            f'--input_shape="{head}:{batch},{rest}"',
            f"--output={self.om(batch)}",
            f"--log={log}",
            f"--soc_version={chip}",
        ]
        if (mode := self.precision_mode) is not None:
            flags.append(f"--precision_mode={mode}")
        return " \\\n    ".join(["atc", *flags]) if lines else " ".join(["atc", *flags])

    @property
    def precision_mode(self) -> str | None:
        """What atc is told to compute in, where that is known."""
        kits = [one.precision for one in self.run.kits if one.runtime == RUNTIME]
        known = [*(one.precision for one in self.sessions), *kits]
        return next((atc.PRECISION_MODES[one] for one in known if one in atc.PRECISION_MODES), None)

    @property
    def preprocess(self) -> str:
        return f"python3 imagenet_torch_preprocess.py {self.name} {IMAGES} {BINS}"

    @property
    def info(self) -> str:
        """The list of the preprocessed images."""
        return f"./{self.name}_prep_bin.info"

    @property
    def get_info(self) -> str:
        width, height = self.size
        return f"python3 get_info.py bin {BINS} {self.info} {width} {height}"

    @property
    def offline(self) -> str:
        """The older tool, on the whole data set."""
        om = Path(f"{self.om(self.batch)}.om")
        words = benchmark.dataset_arguments("./benchmark.x86_64", om, Path(), self.batch, 0, self.size)
        shown = {"-input_text_path": self.info, "-output_binary": "False"}
        pairs = (word.split("=", 1) for word in words[1:])
        return " ".join([words[0], *(f"{key}={shown.get(key, value)}" for key, value in pairs)])

    def rounds(self, batch: int) -> str:
        """The older tool, inference alone."""
        calls = next((one.calls for one in self.pure if one.batch == batch and one.calls), ROUNDS)
        return f"./benchmark.x86_64 -round={calls} -om_path={self.om(batch)}.om -device_id=0 -batch_size={batch}"

    def score(self, outputs: str) -> str:
        return f"python3 imagenet_acc_eval.py {outputs} {LABELS} ./ {scores.NAME}"

    @property
    def outputs(self) -> str:
        """Where the older tool leaves its outputs."""
        return f"{benchmark.OUTPUTS.format(device=0)}/"

    @property
    def ais_bench(self) -> str:
        om = f"{self.om(self.batch)}.om"
        tail = "--output ./ --output_dirname result --outfmt NPY"
        return f"python3 -m ais_bench --model {om} --batchsize {self.batch} --device 0 \\\n    --input {BINS} {tail}"

    @property
    def loop(self) -> str:
        calls = next((one.calls for one in self.pure if one.calls), LOOPS)
        return (
            f"python3 -m ais_bench --model {self.om(self.batch)}.om --batchsize {self.batch} --device 0 --loop {calls}"
        )


def figure(value: float | None, digits: int = 3) -> str:
    """A figure with at most so many places, as the tools state it; None reads "not measured"."""
    return UNMEASURED if value is None else f"{value:.{digits}f}".rstrip("0").rstrip(".")


def listed(texts: Iterable[object]) -> str:
    """A Chinese list."""
    return "、".join(map(str, texts))

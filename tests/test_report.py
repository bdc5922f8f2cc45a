"""report.html: every number from the record, made from that alone, and right whatever was measured."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from figures import unfounded
from pages import DOCS, write_files
from tiny import SPEC, TinyPlugin, start, strongest_channel, write_photos
from visible import read, text_of

from porter import hookimpl
from porter.contracts.requests import Exported, ExportRequest
from porter.documents.deliver import deliver, render
from porter.documents.html import link, say, text
from porter.documents.templates import Templates
from porter.errors import BadInput
from porter.records.record import RunRecord
from porter.records.request import RunRequest
from porter.records.spec import Published, PublishedMetric
from porter.runfolder.commands import commands_of
from porter.runfolder.layout import REPORT
from porter.runfolder.record_file import read_record

HOSTILE = (
    "<script>alert(1)</script></script><svg onload=alert(1)> \" ' | `a` \n# \u202egnp.\x1b[31m \u05d0\u05d1" + "w" * 200
)
SECTIONS_PAGE = DOCS / "how-to/add-a-section-to-the-report.md"
TEMPLATES = Path(__file__).resolve().parents[1] / "templates"
PUBLISHED = Published(
    source="https://example.org/paper",
    dataset="somewhere",
    images=12345,
    metrics=(PublishedMetric(name="top1", value=76.8), PublishedMetric(name="top2", value=93.4)),
)


class Exchanged(TinyPlugin):
    """Its export answers red for green: every image of the two flips."""

    @hookimpl
    def porter_export(self, request: ExportRequest) -> Exported:
        import torch

        exchanged = strongest_channel()
        with torch.no_grad():
            exchanged[2].weight.copy_(exchanged[2].weight[[1, 0, 2]])
        torch.onnx.export(
            exchanged,
            (torch.zeros(1, 3, 16, 16),),
            str(request.path),
            input_names=["image"],
            output_names=["class"],
            dynamic_axes={"image": {0: "N"}, "class": {0: "N"}},
            opset_version=request.opset,
            dynamo=False,
        )
        return Exported(path=request.path, exporter="torch", call="torch.onnx.export(exchanged)")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 24 images, one of which cannot be read, diagnosed."""
    folder = tmp_path_factory.mktemp("finished")
    labels = write_photos(folder / "val", [0, 1, 2] * 8)
    (folder / "val/photo 003.jpg").write_bytes(b"")
    plugin = TinyPlugin(replace(SPEC, published=PUBLISHED))
    run = start(folder / "out", folder / "val", labels, plugin=plugin, max_drop=50.0, languages=("en",))
    run.everything()
    run.diagnose()
    return folder / "out"


@pytest.fixture(scope="module")
def flipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose artefact answers otherwise than the reference."""
    folder = tmp_path_factory.mktemp("flipped")
    labels = write_photos(folder / "val", [0, 1, 2] * 10, size=(300, 200))
    run = start(folder / "out", folder / "val", labels, plugin=Exchanged(), languages=("en",))
    run.export()
    run.evaluate()
    run.bench()
    run.deliver()
    return folder / "out"


def page_of(folder: Path) -> str:
    return (folder / REPORT).read_text(encoding="utf-8")


def numbers_not_in(folder: Path) -> list[str]:
    return unfounded(text_of(page_of(folder)), json.loads((folder / "run.json").read_text()))


def test_every_number_is_in_the_record(finished: Path, flipped: Path) -> None:
    assert numbers_not_in(finished) == [] and numbers_not_in(flipped) == []


def test_the_check_sees_the_numbers_of_drawings_and_no_ticks(finished: Path) -> None:
    shown = text_of(page_of(finished))
    first = read_record(finished).performance[0]
    assert f"{first.images_per_second:.2f} images/s at batch {first.batch}" in shown
    page = page_of(finished).replace('<g class="tick">', "<g>", 1)
    assert len(text_of(page)) > len(shown)


def test_it_is_made_again_byte_for_byte_without_torch_or_a_runtime(finished: Path, tmp_path: Path) -> None:
    shutil.copy(finished / "run.json", tmp_path)
    program = (
        "import sys\n"
        "for name in ('torch', 'onnx', 'onnxruntime', 'openvino', 'cv2'):\n"
        "    sys.modules[name] = None\n"
        "from porter.cli.main import main\n"
        f"sys.argv = ['porter', 'report', {str(tmp_path)!r}]\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / REPORT).read_bytes() == (finished / REPORT).read_bytes()


def test_nothing_that_the_page_says_leads_out_of_it(finished: Path, flipped: Path) -> None:
    for folder in (finished, flipped):
        found = read(page_of(folder))
        sources = [
            value for _, name, value in found.attributes if name in ("src", "srcset", "data", "action", "poster")
        ]
        assert all(value.startswith("data:image/jpeg;base64,") for value in sources)
        links = [value for tag, name, value in found.attributes if name == "href" and tag != "a"]
        assert all(value.startswith("#") for value in links)
        assert not {"link", "iframe", "object", "embed", "form", "base"} & set(found.tags)
        assert not [name for _, name, _ in found.attributes if name == "style" or name.startswith("on")]


def test_the_policy_allows_the_style_and_the_script_of_the_page_alone(finished: Path) -> None:
    page = page_of(finished)
    (policy,) = [
        value for tag, name, value in read(page).attributes if tag == "meta" and value.startswith("default-src")
    ]
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    for tag in ("style", "script"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}';" in policy


def test_ids_are_unique_and_every_reference_has_its_target(finished: Path) -> None:
    found = read(page_of(finished))
    ids = [value for _, name, value in found.attributes if name == "id"]
    assert len(ids) == len(set(ids)) > 20
    wanted = {value[1:] for _, name, value in found.attributes if name == "href" and value.startswith("#")}
    for _, name, value in found.attributes:
        wanted |= set(value.split()) if name in ("aria-labelledby", "aria-describedby") else set()
        wanted |= set(re.findall(r"url\(#([^)]+)\)", value))
    assert wanted - set(ids) == set()


def test_drawings_have_text_alternatives(finished: Path) -> None:
    page = page_of(finished)
    drawings = re.findall(r'<svg class="plot"[^>]*role="img" aria-labelledby="[^"]+"><title[^>]*>[^<]+<', page)
    assert len(drawings) == page.count('class="plot"') == 7, "two accuracies, drop, throughput, latency, shares, depth"
    assert all(name != "" for tag, key, name in read(page).attributes if tag == "svg" and key == "aria-labelledby")


def test_the_published_figures_stand_in_the_drawings(finished: Path) -> None:
    assert "published 76.80" in page_of(finished) and "published 93.40" in page_of(finished)


def test_flips_are_pictured_from_the_record_with_both_answers(flipped: Path, tmp_path: Path) -> None:
    record = read_record(flipped)
    (evaluation,) = record.evaluations[1:]
    assert evaluation.changes is not None and evaluation.changes.flipped == 20
    shutil.copy(flipped / "run.json", tmp_path)
    shutil.rmtree(flipped.parent / "val")  # the pictures are not read again
    deliver(tmp_path, read_record(tmp_path))
    page = page_of(tmp_path)
    assert page.count("<img ") == 20
    shown = text_of(page)
    assert "label 0 red reference 0 red (correct) artefact 1 green" in shown
    for data in re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page):
        assert len(base64.b64decode(data, validate=True)) <= 4096


def test_the_worst_classes_are_those_of_the_artefact(flipped: Path) -> None:
    shown = text_of(page_of(flipped))
    assert "at least 10 images: onnxruntime fp32" in shown
    assert "0 red 10 0 0.00" in shown and "0 red 1 green 10" in shown


def test_a_failed_verdict_shows_at_once(flipped: Path) -> None:
    page = page_of(flipped)
    assert ": FAIL</title>" in page
    (banner,) = re.findall(r'<section class="banner fail".*?</section>', page, re.DOTALL)
    assert text_of(banner).startswith("Result FAIL Accuracy fails: onnxruntime-fp32: Top-1 ")


def blank(**sections: Any) -> RunRecord:
    request = RunRequest(model="tiny")
    commands = commands_of(request, Path("o"))
    return RunRecord(
        porter="0", created="then", command="porter export", request=request, commands=commands, **sections
    )


def test_a_blank_record_says_that_nothing_was_measured() -> None:
    page = render("report.html.j2", blank())
    shown = text_of(page)
    assert ": NOT VERIFIED</title>" in page
    assert shown.count("ot measured") > 5 and '<svg class="plot"' not in page
    for line in ("Parity of the artefacts with the reference.", "Accuracy.", "Speed of pure inference."):
        assert line in shown


def test_a_run_of_which_only_the_export_is_done(tmp_path: Path) -> None:
    run = start(tmp_path / "out", tmp_path, None, languages=("en",))
    run.export()
    run.deliver()
    page = page_of(tmp_path / "out")
    assert ": INCOMPLETE</title>" in page and "Not checked: Model parity" in text_of(page)
    assert numbers_not_in(tmp_path / "out") == []


def test_three_images(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "val", [0, 1, 2])
    start(tmp_path / "out", tmp_path / "val", labels, max_drop=50.0, languages=("en",)).everything()
    assert "3 images cannot rule out a drop of up to " in text_of(page_of(tmp_path / "out"))
    assert numbers_not_in(tmp_path / "out") == []


CHANGES: dict[str, tuple[Callable[[RunRecord], RunRecord], Sequence[str]]] = {
    "nothing at batch 4": (
        lambda record: replace(record, performance=tuple(one for one in record.performance if one.batch != 4)),
        ("Speed of onnxruntime-fp32 at batch 4.", "onnxruntime-fp32 4 – not measured –"),
    ),
    "no speed": (lambda record: replace(record, performance=()), ("Speed of pure inference.",)),
    "no reference": (lambda record: replace(record, evaluations=record.evaluations[1:]), ("onnxruntime fp32",)),
    "no evaluation": (
        lambda record: replace(record, evaluations=(), comparisons=()),
        ("Images scored not measured",),
    ),
    "no model": (lambda record: replace(record, model=None), ("no model was resolved",)),
    "no environment": (lambda record: replace(record, environment=None), ("Not recorded.",)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_missing_is_said(finished: Path, change: str) -> None:
    alter, lines = CHANGES[change]
    shown = text_of(render("report.html.j2", alter(read_record(finished))))
    assert [line for line in lines if line not in shown] == []


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "val", [0, 1, 2] * 4)
    odd = "a|b\"'<img src=x onerror=alert(1)> \u05d0.jpg"
    (tmp_path / "val" / odd).write_bytes(b"")
    labels.write_text(labels.read_text() + f"{odd} 1\n", encoding="utf-8")
    spec = replace(
        SPEC,
        title=HOSTILE,
        description=HOSTILE,
        facts={HOSTILE: HOSTILE},
        paper="javascript:alert(1)",
        code='https://x/"onmouseover="alert(1)',
        licence=HOSTILE,
        class_names=(HOSTILE, HOSTILE, "blue"),
        published=replace(PUBLISHED, source="data:text/html,<script>alert(1)</script>", note=HOSTILE),
    )
    start(tmp_path / "out", tmp_path / "val", labels, plugin=Exchanged(spec), languages=("en",)).export()
    run = start(tmp_path / "out", tmp_path / "val", labels, plugin=Exchanged(spec), fresh=False, languages=("en",))
    run.evaluate()
    run.deliver()
    page = page_of(tmp_path / "out")
    found = read(page)
    assert found.tags.count("script") == 1 and not {"onload", "onerror", "onmouseover"} & {
        n for _, n, _ in found.attributes
    }
    assert [value for tag, name, value in found.attributes if tag == "img" and not value] == []
    addresses = [value for tag, name, value in found.attributes if tag == "a" and name == "href"]
    assert all(value.startswith(("#", "https://x/&quot;", 'https://x/"')) for value in addresses)
    assert "\x1b" not in page and "\u202e" not in page


def test_a_template_of_the_users_own_changes_a_block(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "report.html.j2").write_text(
        '{% extends "porter/report.html.j2" %}\n'
        "{% block style %}{{ super() }}h1 { color: teal; }{% endblock %}\n"
        "{% block title %}<h1>Ours &amp; {{ run.request.model }}</h1>{% endblock %}\n"
    )
    page = render("report.html.j2", read_record(finished), Templates(user=tmp_path))
    assert "<h1>Ours &amp; tiny</h1>" in page
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style.endswith("h1 { color: teal; }")
    assert base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() in page, "the policy follows the style"


def test_an_undefined_name_is_an_error_with_its_place(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "report.html.j2").write_text("\n{{ run.speed_of_light }}")
    with pytest.raises(BadInput, match=r"report\.html\.j2, line 2.*speed_of_light"):
        render("report.html.j2", read_record(finished), Templates(user=tmp_path))


def test_a_missing_figure_is_an_error_and_no_empty_cell(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "report.html.j2").write_text("{{ run.model.opset }}")
    with pytest.raises(BadInput, match="not measured stands where a number must"):
        render("report.html.j2", read_record(finished), Templates(user=tmp_path))


def test_text() -> None:
    assert str(text("<a>\n&\x00")) == "&lt;a&gt; &amp;\\x00"
    assert str(text("\u05d0")) == "\u2068\u05d0\u2069"
    assert str(say("x `<b>`")) == "x `&lt;b&gt;`"
    assert (
        str(link("https://a.b/c?d=1&e"))
        == '<a href="https://a.b/c?d=1&amp;e" rel="noreferrer">https://a.b/c?d=1&amp;e</a>'
    )
    assert str(link("javascript:alert(1)")) == "javascript:alert(1)"


def test_the_page_on_sections_does_what_it_says(finished: Path, tmp_path: Path) -> None:
    write_files(SECTIONS_PAGE, tmp_path)
    page = render("report.html.j2", read_record(finished), Templates(user=tmp_path / "ours"))
    (artefact,) = read_record(finished).artefacts
    assert f"artefact bytes {artefact.id} {artefact.size_bytes}" in text_of(page)
    assert "Georgia" in page


def test_the_page_on_sections_names_every_block_in_order() -> None:
    page = SECTIONS_PAGE.read_text(encoding="utf-8")
    (listed,) = re.findall(r"The blocks are, in order: (.*?)\.\n", page, re.DOTALL)
    blocks = re.findall(r"{% block (\w+) %}", (TEMPLATES / "report.html.j2").read_text(encoding="utf-8"))
    assert re.findall(r"`(\w+)`", listed) == blocks

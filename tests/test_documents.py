"""The documents of runs that are not the usual one: they are right, and say what is not there, in both languages."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from figures import figures, unfounded
from test_deliver import HOSTILE, broken_rows
from tiny import SPEC, TinyPlugin, start, write_photos

from porter import hookimpl
from porter.builtin.model_card import front_matter, metadata
from porter.cli.main import main
from porter.contracts.requests import ModelOffer
from porter.documents.deliver import deliver, render
from porter.documents.languages import CHINESE, ENGLISH
from porter.documents.placeholders import without_paths
from porter.documents.templates import Templates
from porter.errors import BadInput
from porter.pipeline.judge.overall_state import overall
from porter.records.record import RunRecord
from porter.records.spec import Published, PublishedMetric
from porter.runfolder.record_file import read_record, write_record

README = "README.md.j2"
READMES = ("README.md", "README.zh.md")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on three images, too few for any verdict, which fails the gate as near chance."""
    folder = tmp_path_factory.mktemp("three")
    labels = write_photos(folder / "val", [0, 1, 2])
    start(folder / "out", folder / "val", labels).everything()
    return folder / "out"


@pytest.fixture
def record(folder: Path) -> RunRecord:
    return read_record(folder)


def both(record: RunRecord) -> tuple[str, str]:
    """The two READMEs, after what holds of all: whole tables, and figures that are the record's and each other's."""
    english, chinese = (render(README, record, language=language) for language in (ENGLISH, CHINESE))
    assert broken_rows(english) == [] and broken_rows(chinese) == []
    assert figures(english) == figures(chinese)
    return english, chinese


def test_three_images_are_called_too_few(record: RunRecord) -> None:
    english, chinese = both(record)
    assert "**FAIL: Accuracy fails: " in english and "3 images cannot rule out" in english
    assert "3 images found, 3 scored" in english and "共 3 张图片，评测 3 张" in chinese
    assert "no better than guessing" in english and "不高于随机" in chinese
    assert "Check, the most likely cause first" in english and "按可能性从高到低检查" in chinese


def test_a_batch_that_was_not_measured_is_named(record: RunRecord) -> None:
    english, chinese = both(replace(record, request=replace(record.request, batch_sizes=(1, 4, 32))))
    assert "- Speed of onnxruntime-fp32 at batch 32." in english
    assert "- onnxruntime-fp32 在 batch 32 下的性能。" in chinese


def test_a_runtime_that_is_missing_is_named(record: RunRecord) -> None:
    english, chinese = both(replace(record, request=replace(record.request, runtimes=("onnxruntime", "absent"))))
    assert "- Everything on the runtime absent, for which no artefact was built." in english
    assert "- 推理引擎 absent 未测试：未生成对应的部署模型。" in chinese


def test_a_failed_load_has_its_documents(record: RunRecord) -> None:
    blank = RunRecord(porter="0", created="then", command="c", request=record.request, commands=record.commands)
    failed = replace(record.verdicts[0], state="fail", evidence=("size mismatch for `head.weight` | <b>",))
    failing = replace(blank, verdicts=(failed,), load_failure="size mismatch", model=record.model)
    english, chinese = both(replace(failing, overall=overall(failing)))
    assert (
        "**FAIL: Weights loaded fails: size" in english
        and "size mismatch for \\`head.weight\\` \\| &lt;b&gt;" in english
    )
    assert "Accuracy: not measured." in english and "精度：未测。" in chinese
    assert "- The export to ONNX." in english and "- 导出 ONNX。" in chinese


def test_an_answer_without_a_figure_is_no_empty_cell(record: RunRecord) -> None:
    one = record.performance[0]
    bare = replace(one, latency=replace(one.latency, p90_ms=None, p99_ms=None))
    for document in both(replace(record, performance=(bare, *record.performance[1:]))):
        assert "|  |" not in document and "None" not in document


def test_the_order_is_that_of_a_delivery_guide(record: RunRecord) -> None:
    english, chinese = both(record)
    wanted = ("Verdicts", "Overview", "Inputs and outputs", "Environment", "Quick start", "Accuracy", "Performance")
    wanted += ("Not measured", "Files", "Reproduce")
    wanted += ("Appendix: parity with the reference", "Appendix: conditions of measurement")
    assert tuple(line[3:] for line in english.splitlines() if line.startswith("## ")) == wanted
    assert chinese.count("\n## ") == len(wanted)
    for stage in ("run", "export", "verify", "preprocess", "infer", "evaluate", "bench", "report"):
        assert f"```sh\n{record.commands[stage]}\n```" in english and record.commands[stage] in chinese


def test_published_figures_stand_beside_those_of_the_run(tmp_path: Path) -> None:
    published = Published(
        source="a | paper", dataset="Set-3", images=3, metrics=(PublishedMetric(name="top1", value=99.25),), note="n"
    )
    labels = write_photos(tmp_path / "val", [0, 1, 2])
    plugin = TinyPlugin(replace(SPEC, published=published, translations={CHINESE: {"n": "单次裁剪"}}))
    run = start(tmp_path / "out", tmp_path / "val", labels, plugin=plugin)
    run.everything()
    english, chinese = both(run.record)
    assert "| published | 99.25 | 3 |" in english and "| 官方精度 | 99.25 |" in chinese
    assert "Published figures: a \\| paper, on Set-3 (n)." in english and "（单次裁剪）" in chinese
    assert metadata(run.record)["model-index"][0]["results"][0]["dataset"] == {"name": "Set-3", "type": "set-3"}


def test_each_language_has_its_file(folder: Path, tmp_path: Path) -> None:
    record = read_record(folder)
    for languages, names in (((CHINESE,), ["README.md"]), ((CHINESE, ENGLISH), ["README.en.md", "README.md"])):
        deliver(tmp_path, replace(record, request=replace(record.request, languages=languages)))
        assert sorted(path.name for path in tmp_path.glob("README*")) == names
        first = (tmp_path / "README.md").read_text()
        assert "## 验证项" in first and ("README.en.md" in first) == (len(names) > 1), "no link to what is not there"
    deliver(tmp_path, replace(record, request=replace(record.request, languages=(ENGLISH,))))
    assert "## Verdicts" in (tmp_path / "README.md").read_text() and (tmp_path / "README.en.md").exists()


def test_report_takes_a_language_and_a_form(folder: Path, tmp_path: Path) -> None:
    write_record(tmp_path, read_record(folder))
    with pytest.raises(SystemExit) as stopped:
        main(["report", str(tmp_path), "--lang", "en", "--template", "huggingface"])
    assert stopped.value.code == 0
    assert {path.name for path in tmp_path.glob("README*")} == {"README.md"}
    card = (tmp_path / "huggingface/README.md").read_text()
    assert card.startswith("---\nlanguage:\n- en\n") and card.count("\n---\n") == 1
    assert "# Strongest channel\n" in card and broken_rows(card) == []
    assert unfounded(card, json.loads((folder / "run.json").read_text())) == []


def test_the_model_card_says_what_hubs_read(folder: Path, record: RunRecord) -> None:
    record = replace(record, model=replace(record.model, licence="MIT"))
    head = front_matter(record)
    assert head.startswith("---\n") and head.endswith("\n---\n\n")
    card = yaml.safe_load(head.strip("-\n"))
    assert (card["license"], card["pipeline_tag"]) == ("mit", "image-classification")
    assert card["tags"] == ["image-classification", "onnx", "onnxruntime", "porter"]
    assert (card["datasets"], card["metrics"]) == (["val"], ["accuracy"])
    [index] = card["model-index"]
    assert index["name"] == "Strongest channel"
    for result, evaluation in zip(index["results"], record.evaluations, strict=True):
        assert result["task"]["type"] == "image-classification"
        assert result["dataset"] == {"name": "val", "type": "val"}
        assert [metric["value"] for metric in result["metrics"]] == [metric.value for metric in evaluation.metrics]
        assert {metric["type"] for metric in result["metrics"]} == {"accuracy"}
    assert unfounded(head, json.loads((folder / "run.json").read_text())) == []


@pytest.mark.parametrize(
    "text", [HOSTILE, "---\nlicense: mit", "a: b", "- x", "!!python/object:os.system", "yes", "1e3"]
)
def test_no_text_breaks_out_of_the_model_card(record: RunRecord, text: str) -> None:
    model = replace(record.model, title=text, licence=text, task=text)
    head = front_matter(replace(record, model=model, request=replace(record.request, data=f"/x/{text}")))
    card = yaml.safe_load(head.removeprefix("---\n").removesuffix("---\n\n"))
    assert head.count("\n---\n") == 1 and card["license"] == "other"
    assert isinstance(card["model-index"][0]["name"], str) and isinstance(card["datasets"][0], str)


def test_hubs_read_the_model_card(record: RunRecord) -> None:
    """The hub's own library, where it is installed."""
    cards = pytest.importorskip("huggingface_hub")
    found = cards.ModelCard(front_matter(record) + "# x\n", ignore_metadata_errors=False).data
    assert found.eval_results and found.eval_results[0].metric_value == record.evaluations[0].metrics[0].value


class WithTemplates(TinyPlugin):
    """A plugin that ships templates of its own."""

    def __init__(self, templates: Path) -> None:
        super().__init__()
        self.templates = templates

    @hookimpl
    def porter_models(self) -> list[ModelOffer]:
        return [
            ModelOffer(
                name="tiny", title="Tiny", variants=(self.spec,), needs_checkpoint=False, templates=self.templates
            )
        ]


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    own = tmp_path / "templates"
    (own / "languages").mkdir(parents=True)
    (own / "languages/zh.yaml").write_text('"Use: {what}": "用途：{what}"\n"Overview": "模型简介"\n', encoding="utf-8")
    (own / "README.md.j2").write_text(
        '{% extends "porter/README.md.j2" %}\n{% block overview %}{{ super() }}\n'
        '{{ _("Use: {what}", what="toys | <b>") }}\n{% endblock %}'
    )
    return own


def test_a_plugin_s_own_templates_go_before_core_s(tmp_path: Path, shipped: Path) -> None:
    labels = write_photos(tmp_path / "val", [0, 1, 2])
    run = start(tmp_path / "out", tmp_path / "val", labels, plugin=WithTemplates(shipped))
    run.everything()
    assert run.record.templates == ("tiny",)
    english, chinese = ((tmp_path / "out" / name).read_text() for name in READMES)
    assert "Use: toys \\| &lt;b&gt;" in english and "用途：toys" in chinese and "## 模型简介" in chinese
    user = tmp_path / "user"
    user.mkdir()
    (user / "README.md.j2").write_text('{% extends "plugin/README.md.j2" %}{% block title %}# Ours\n{% endblock %}')
    deliver(tmp_path, run.record, Templates(user=user, plugins=(shipped,)))
    assert (tmp_path / "README.md").read_text().startswith("# Ours\n") and "Use: toys" in (
        tmp_path / "README.md"
    ).read_text()


def test_without_the_plugin_its_templates_are_said_to_be_missing(
    tmp_path: Path, record: RunRecord, capsys: pytest.CaptureFixture[str]
) -> None:
    write_record(tmp_path, replace(record, templates=("far-away",)))
    with pytest.raises(SystemExit) as stopped:
        main(["report", str(tmp_path)])
    assert stopped.value.code == 0
    assert "templates of the plugin 'far-away', which is not installed" in capsys.readouterr().err
    assert (tmp_path / "README.md").read_text() == render(README, without_paths(record))


def test_a_sentence_without_a_translation_is_an_error_with_its_place(tmp_path: Path, record: RunRecord) -> None:
    (tmp_path / README).write_text('x\n{{ _("Made for you.") }}')
    own = Templates(user=tmp_path)
    assert render(README, record, own) == "x\nMade for you."
    with pytest.raises(BadInput, match=r"README\.md\.j2, line 2: .*'Made for you\.' has no translation. Add it to"):
        render(README, record, own, CHINESE)
    (tmp_path / README).write_text('{{ _("{n} images", m=1) }}')
    with pytest.raises(BadInput, match=r"line 1: .*placeholders of '\{n\} images' are not the values given to it"):
        render(README, record, own)


def test_text_from_right_to_left_stays_in_its_place(record: RunRecord) -> None:
    evaluation = record.evaluations[1]
    odd = replace(evaluation.session, provider="\u05d0\u202e|x\u2067")
    for document in both(replace(record, evaluations=(record.evaluations[0], replace(evaluation, session=odd)))):
        assert "\u2068\u05d0\\\\u202e\\|x\\\\u2067\u2069" in document and "\u202e" not in document

"""The terms of docs/glossary.md: no sentence, help text or page uses a word that it rules out, in either language.

Names of fields, modules and commands are no sentences: what stands in code is not looked at.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from test_languages import CORE, PLUGINS, TEMPLATES, sentences_of_code, sentences_of_template

from porter.cli.group import COMMANDS, porter
from porter.documents.languages import CHINESE, read_catalogue

ROOT = Path(__file__).resolve().parents[1]
GLOSSARY = ROOT / "docs/glossary.md"
CATALOGUES = [TEMPLATES, *(package / "templates" for package in PLUGINS)]
MADE = ROOT / "docs/reference"
"""Pages made from docstrings, and tables of formats: reference of names, not prose."""
PAGES = sorted(
    page
    for page in [
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("*.md"),
        *ROOT.glob("plugins/*/README.md"),
        *ROOT.glob("plugins/*/docs/*.md"),
    ]
    if page != GLOSSARY and MADE not in page.parents
)

ENGLISH = {
    r"\bnot steady\b": "unstable",
    r"\bin turns\b": "alternately",
    r"\bflip(s|ped)?\b(?! test| pairs)": "changed prediction",
    r"\bthe gate\b": "the allowed drop, the limit",
    r"\banswers? (changed|for every image|image by image)\b|\b(top-1|wrong|right) answers?\b": "prediction",
    r"\b(is|are|was|were|be|still|of \d+) right\b": "correct (a prediction), passes (an artefact)",
    r"\blead was\b": "margin",
    r"\bwith probability\b": "no better than guessing",
    r"\bbaked\b|\bfree batch\b|\bbatch free\b": "fixed or dynamic batch",
    r"\bin line\b|\blined up\b": "queued",
    r"\bwhole path\b": "end to end",
    r"\b(go|goes|went|going) on\b": "resume, continue",
    r"\bafresh\b|\banew\b": "again",
    r"\bmend(s|ed|ing)?\b": "fix",
    r"\blikeliest\b": "most likely",
    r"\b(hold|holds|held|holding) (it |them |each |\w+ )?against\b": "compare",
    r"\bspeaks? against\b": "reason rejected",
    r"\btoo few images to tell\b|\bcannot be told\b": "the sample is too small",
    r"\bwho(so)?ever\b": "name who it is",
    r"\bas (it|they) stands?\b": "as it is",
    r"\bloses? too much\b": "drop above the limit",
    r"\bcheckpoint keys\b": "entries",
    r"\bnot looked at\b": "not run",
}
"""A pattern of English, without case, and the term in its place."""

CHINESE_WORDS = {
    "检查点": "权重文件",
    "产物": "部署模型",
    "待测模型": "候选模型",
    "基准值|基准模型": "对比值、参考模型",
    "公布精度|公布值": "官方精度",
    "精度损失": "精度下降",
    "门限|阈值": "允许下降值、容差",
    "结论项": "验证项",
    "(?<!成)(?<!未)不通过": "未通过",
    "评分": "精度评测",
    "不可比": "无法对比",
    "图片过少|图片太少": "样本量不足",
    "证据": "依据",
    "领先": "首位与次位得分差",
    "答对|答错|答案": "预测正确",
    "结果变化": "预测变化",
    "轮流": "交替测量",
    "每?图耗时 \\(ms\\)": "单图平均时延",
    "延迟": "时延",
    "不稳定": "波动较大",
    "(?<!推理)流数|[0-9}] 流(?!程)|单流(?!、)": "推理流",
    "标定": "校准",
    "每个\\S*一个缩放系数": "逐通道、逐张量",
    "(?<!离线)工具包": "离线测试包",
    "回绕": "循环移位",
    "不具备": "本机没有",
    "形状推导": "形状推断",
    "缩放系数": "逐通道、逐张量",
    "者(?!：|名)(?<!作者)(?<!后者)(?<!前者)": "name the thing",
    "(?<![来取])自 (?=[`{])": "从",
    "测于": "测量时间",
    "[0-9}] 秒": "s",
    "{count} 行|行数|各行": "样本",
    "按精度|以精度(?!验证)": "数据类型, or 精度验证",
    "长宽比": "宽高比",
}
"""A pattern of Chinese, and the term in its place."""

VALUES = "core/porter/records"
"""Enumerations of the record: values of fields, not sentences."""


def english_sentences() -> Iterator[tuple[str, str]]:
    for folder in (CORE, *PLUGINS):
        for path in folder.rglob("*.py"):
            if path.name != "templates.py":
                for sentence in sentences_of_code(path.read_text(encoding="utf-8"), path.name):
                    yield str(path.relative_to(ROOT)), sentence
    for folder in CATALOGUES:
        for path in folder.rglob("*.j2"):
            if not any(part.startswith("new-") for part in path.parts):
                for sentence in sentences_of_template(path.read_text(encoding="utf-8"), path.name):
                    yield str(path.relative_to(ROOT)), sentence


def errors() -> Iterator[tuple[str, str]]:
    """Texts that code holds beside its messages: errors, notes, warnings. A docstring is none."""
    for folder in (CORE, *PLUGINS):
        for path in folder.rglob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            described = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant | ast.JoinedStr) and id(node) not in described:
                    text = "".join(
                        part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else "…"
                        for part in (node.values if isinstance(node, ast.JoinedStr) else [node])
                    )
                    if text.count(" ") > 1 and VALUES not in str(path):
                        yield f"{path.relative_to(ROOT)}, line {node.lineno}", text


def helps() -> Iterator[tuple[str, str]]:
    for name in COMMANDS:
        command = porter.get_command(click.Context(porter), name)
        assert command is not None
        yield from _helps(name, command)


def _helps(name: str, command: click.Command) -> Iterator[tuple[str, str]]:
    yield name, command.help or ""
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            yield f"{name} {parameter.opts[0]}", parameter.help or ""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            assert found is not None
            yield from _helps(f"{name} {inner}", found)


def prose(page: Path) -> str:
    """A page without what stands in code: blocks, spans, targets of links."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"\]\([^)]*\)", "]", re.sub(r"`[^`\n]*`", "`", text))


def found_in(text: str, patterns: dict[str, str], flags: int = 0) -> list[str]:
    return [
        f"{match.group()!r}: use {instead}"
        for pattern, instead in patterns.items()
        if (match := re.search(pattern, re.sub(r"\s+", " ", re.sub(r"{\w+", "{", text)), flags))
    ]


def listed(found: Iterator[tuple[str, str]], patterns: dict[str, str], flags: int = 0) -> list[str]:
    return sorted({f"{where}: {fault}" for where, text in found for fault in found_in(text, patterns, flags)})


@pytest.mark.parametrize("texts", [english_sentences, errors, helps], ids=lambda texts: texts.__name__)
def test_no_sentence_uses_a_word_that_is_ruled_out(texts: Callable[[], Iterator[tuple[str, str]]]) -> None:
    assert listed(texts(), ENGLISH, re.IGNORECASE) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_uses_a_word_that_is_ruled_out(page: Path) -> None:
    chinese = page.name.endswith(".zh.md")
    assert found_in(prose(page), CHINESE_WORDS if chinese else ENGLISH, re.IGNORECASE) == []


@pytest.mark.parametrize("folder", CATALOGUES, ids=lambda folder: folder.parent.name)
def test_no_chinese_sentence_uses_a_word_that_is_ruled_out(folder: Path) -> None:
    sentences = [(english, chinese) for english, chinese in read_catalogue(folder, CHINESE).items()]
    assert listed(iter(sentences), CHINESE_WORDS) == []


@pytest.mark.parametrize("folder", CATALOGUES, ids=lambda folder: folder.parent.name)
def test_chinese_is_set_as_the_house_style_says(folder: Path) -> None:
    """Full-width marks, one space between Chinese and Latin, none before a full-width mark, one colon a sentence; an
    offline model is an `.om`; accuracy alone is 精度."""
    faults = []
    for english, chinese in read_catalogue(folder, CHINESE).items():
        prose = re.sub(r"`[^`]*`", "`", chinese)
        rules = {
            "half-width mark": r"[\u4e00-\u9fff][,;:?!()]|[,;:?!()][\u4e00-\u9fff]",
            "no space between Chinese and Latin": r"[\u4e00-\u9fff][A-Za-z0-9]|[A-Za-z0-9%][\u4e00-\u9fff]",
            "space beside a full-width mark": r" [，。；：、（）？]|[，。；：、（）？] ",
            "chain of colons": r"：[^。；]*：",
            "x for ×": r"[0-9}]x[0-9{]",
        }
        faults += [f"{chinese}: {fault}" for fault, pattern in rules.items() if re.search(pattern, prose)]
        if "离线模型" in chinese and not re.search(r"\.om\b|\batc\b", english):
            faults.append(f"{chinese}: 离线模型 is an .om alone")
    assert faults == []


def test_the_page_lists_its_terms_once() -> None:
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \|", GLOSSARY.read_text(encoding="utf-8"), re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, len(rows) + 1))
    assert len({term for _, term in rows}) == len(rows) >= 64

"""Folders of the user's own templates. They may compute, in jinja2's sandbox; they reach nothing outside."""

from __future__ import annotations

from corpus.case import Case

REPORT = "report out --template own"


def _own(text: str | bytes) -> dict[str, str | bytes]:
    return {"own/README.md.j2": text}


CASES = [
    Case(name="absent", command=REPORT, says="--template own: no such folder"),
    Case(name="a file", command="report out --template labels.txt", says="--template labels.txt: a file, not a folder"),
    Case(
        name="none of its names",
        command=REPORT,
        says="--template own: holds none of README.md.j2",
        files={"own/readme.j2": ""},
    ),
    Case(
        name="a syntax error",
        command=REPORT,
        says=r"README.md.j2, line 2: TemplateSyntaxError: Expected an expression",
        files=_own("a\n{% if %}\n"),
    ),
    Case(
        name="an undefined name",
        command=REPORT,
        says=r"README.md.j2, line 1: UndefinedError: .*has no attribute 'modell'",
        files=_own("{{ run.modell }}"),
    ),
    Case(name="not UTF-8", command=REPORT, says="template README.md.j2: UnicodeDecodeError", files=_own(b"\xff\xfe")),
    Case(
        name="python's classes",
        command=REPORT,
        says="SecurityError: access to attribute '__class__' of 'str' object is unsafe",
        files=_own("{{ ''.__class__.__mro__ }}"),
    ),
    Case(name="a file outside", command=REPORT, says="TemplateNotFound", files=_own("{% include '../labels.txt' %}")),
    Case(
        name="an endless loop",
        command=REPORT,
        says="OverflowError",
        files=_own("{% for i in range(10**9) %}{% endfor %}"),
    ),
    Case(
        name="ten gigabytes",
        command=REPORT,
        says="README.md.j2, line 1: MemoryError",
        files=_own("{% set x = 'a' * 10**10 %}{{ x }}"),
    ),
    Case(name="recursion", command=REPORT, says="RecursionError", files=_own("{% include 'README.md.j2' %}")),
]

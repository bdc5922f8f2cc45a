"""The two forms in which Ascend deliveries are published, in Chinese: a guide to read, and the folder it speaks of."""

from __future__ import annotations

import re
from collections.abc import Mapping

from porter import BadInput, Form, FormRequest, one_line
from porter_ascend.delivery import IMAGENET, IMAGES, LABELS, MISSING, TOOLKIT, UNMEASURED, Delivery, figure, listed
from porter_ascend.kit import TEMPLATES
from porter_ascend.scripts import address_statement, scripts

CONTENTS = "[[contents]]"
"""Line of a template that becomes the table of contents."""
FENCE = re.compile(r"\s*(`{3,})")
HEADING = re.compile(r"^(#{2,4}) (.+)$")


class AscendForm(Form):
    """A form whose document is a template of the form's name."""

    templates = TEMPLATES
    languages = ("zh",)
    uses_code = True
    tasks = ("classification",)

    def __init__(self, name: str, title: str) -> None:
        self.name, self.title = name, title

    def files(self, request: FormRequest) -> Mapping[str, bytes]:
        model = request.record.model
        if model is not None and (model.preprocess is None or not model.preprocess.is_photo):
            raise BadInput(
                f"form {self.name}: its scripts preprocess photos by a resize and a centre crop in colour, "
                f"{one_line(model.name)} is preprocessed otherwise. Use another --template"
            )
        found = scripts(request)
        document = request.render(
            f"{self.name}.md.j2",
            "zh",
            d=Delivery(request),
            missing=MISSING,
            unmeasured=UNMEASURED,
            figure=figure,
            listed=listed,
            imagenet=IMAGENET,
            images=IMAGES,
            labels=LABELS,
            set_env=TOOLKIT,
            files=sorted(found),
        )
        found["README.md"] = with_contents(document)
        statement = "public_address_statement.md"
        found[statement] = address_statement(found)
        return {name: text.encode() for name, text in found.items()}


FORMS = (
    AscendForm("ascend-guide", "Guide for the benchmark tool (CANN 5.0), in seven sections, with its scripts; Chinese"),
    AscendForm("ascend-modelzoo", "Ascend ModelZoo delivery for ais_bench, with its scripts; Chinese"),
)


def with_contents(document: str) -> str:
    """The document with an anchor at each heading, and their list in place of `CONTENTS`.

    The anchors are named as GitHub names headings, so that a link works whether a platform keeps the tag or not.
    """
    lines, entries, fence = [], [], ""
    for line in document.splitlines():
        ticks = FENCE.match(line)
        if ticks is not None and not fence:
            fence = ticks[1]
        elif fence and line.strip() == fence:
            fence = ""
        found = None if fence else HEADING.match(line)
        if found is None:
            lines.append(line)
            continue
        marks, text = found.groups()
        name = anchor(text)
        entries.append(f"{'  ' * (len(marks) - 2)}- [{text}](#{name})")
        lines.append(f'{marks} <a name="{name}"></a>{text}')
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines))
    return text.replace(CONTENTS, "\n".join(entries)).rstrip() + "\n"


def anchor(heading: str) -> str:
    """The name that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")

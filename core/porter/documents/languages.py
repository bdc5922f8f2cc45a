"""The languages of the documents: what core says in English is said in another by a catalogue.

A catalogue is a YAML file `languages/LANGUAGE.yaml` beside the templates: each English sentence, and what it is in that
language, with the same placeholders. English needs none. A sentence that no catalogue has, as one of a plugin, stays
English.
"""

from __future__ import annotations

import functools
import importlib.resources
from collections.abc import Mapping
from pathlib import Path

from porter.errors import BadInput, one_line
from porter.files.inside import leads_out
from porter.files.yamlfile import read_yaml
from porter.records.message import PLACEHOLDER, PLAIN, Markup, Text, Value, render

ENGLISH, CHINESE = "en", "zh"
LANGUAGES = {ENGLISH: "English", CHINESE: "简体中文"}
"""Every language of the documents, by its code, each named in itself."""

Catalogue = Mapping[str, str]


def say(text: Text, language: str = ENGLISH, markup: Markup = PLAIN) -> str:
    """`text` in one of `LANGUAGES`, written by `markup`; as a terminal shows it by default."""
    return say_from(catalogue(language), text, markup)


def say_from(translations: Catalogue, text: Value, markup: Markup = PLAIN) -> str:
    """`text` by a catalogue at hand; what that lacks stays English."""
    return render(text, lambda sentence: translations.get(sentence, sentence), markup)


@functools.cache
def catalogue(language: str) -> Catalogue:
    """What core says, from English into `language`."""
    return read_catalogue(Path(str(importlib.resources.files("porter.templates"))), language)


def read_catalogue(folder: Path, language: str) -> Catalogue:
    """The catalogue of a folder of templates; empty where it has none. Raises `BadInput` naming file and sentence."""
    path = folder / "languages" / f"{language}.yaml"
    if language == ENGLISH or not path.exists():
        return {}
    if leads_out(folder, path):
        raise BadInput(f"{one_line(path)}: a link that leads out of the folder of templates; copy the file there")
    entries = read_yaml(path, as_text=True)
    for english, translated in entries.items():
        if not isinstance(english, str) or not isinstance(translated, str) or not translated:
            raise BadInput(f"{one_line(path)}: {one_line(english)!r}: a sentence needs a sentence beside it")
        if placeholders(english) != placeholders(translated):
            raise BadInput(f"{one_line(path)}: {one_line(english)!r}: the placeholders of the two sentences differ")
    return entries


def placeholders(sentence: str) -> list[tuple[str, str]]:
    """Names and forms of the values that a sentence holds, in alphabetical order."""
    return sorted(PLACEHOLDER.findall(sentence))

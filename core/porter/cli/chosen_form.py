"""`--template`: the name of a form that a plugin offers, or a folder of the user's own templates."""

from __future__ import annotations

from pathlib import Path

from porter.documents.deliver import require_templates
from porter.errors import BadInput, one_line
from porter.hosting.registry import Registry


def chosen_form(given: str | None, registry: Registry) -> tuple[str | None, Path | None]:
    """The form, and the folder of templates, of which at most one is given. A form's name goes before a folder's.

    Raises `BadInput`, listing the forms, for what is neither.
    """
    if given is None:
        return None, None
    if given in registry.forms():
        registry.form(given)  # two plugins may offer it
        return given, None
    path = Path(given)
    if path.exists() or path.is_symlink():
        require_templates(path)
        return None, path
    try:
        registry.form(given)
    except BadInput as error:
        raise BadInput(f"--template {one_line(given)}: no such folder; {error}") from None
    return given, None

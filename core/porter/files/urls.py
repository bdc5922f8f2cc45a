"""URLs that stand where a folder may stand."""

from __future__ import annotations

import re

from porter.errors import BadInput, one_line

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(://|::)")
_WEB = re.compile(r"https?://[!-~]+")
_PASSWORD = re.compile(r"://[^/@]*:[^/@]*@")


def is_url(text: str) -> bool:
    """Whether `text` is a URL as fsspec takes it (`s3://bucket/val`, `zip://::s3://bucket/val.zip`), and not a path."""
    return _URL.match(text) is not None


def is_web_address(text: str) -> bool:
    """Whether `text` is an address that a document may link to, and not, say, a script in the form of one."""
    return _WEB.fullmatch(text) is not None


def require_no_password(option: str, url: str) -> None:
    """Raise `BadInput` where the URL holds a password: what was typed goes into run.json and the documents."""
    if _PASSWORD.search(url):
        shown = one_line(_PASSWORD.sub("://…@", url))
        raise BadInput(
            f"{option} {shown}: contains a password, which would be written to run.json. "
            "Use the environment or fsspec's configuration files"
        )

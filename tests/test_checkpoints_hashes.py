"""A file passes for the one that its user meant by its digest only."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from porter.checkpoints.digests import require_digest
from porter.errors import BadInput
from porter.files.hashes import file_digest

CONTENT = bytes(range(256)) * 9000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "w.pth").write_bytes(CONTENT)
    return tmp_path / "w.pth"


def test_the_digest_is_of_the_whole_file(path: Path) -> None:
    assert file_digest(path) == hashlib.sha256(CONTENT).hexdigest()
    assert file_digest(path, "md5") == hashlib.md5(CONTENT).hexdigest()


def test_the_right_digest_passes_in_either_case(path: Path) -> None:
    digest = file_digest(path)
    assert require_digest(path, digest) == digest
    assert require_digest(path, f" {digest.upper()}\n") == digest
    md5 = file_digest(path, "md5")
    assert require_digest(path, md5.upper(), "md5") == md5


def test_a_wrong_digest_names_both(path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        require_digest(path, "0" * 64)
    assert str(path) in str(caught.value)
    assert file_digest(path) in str(caught.value)
    assert "expected " + "0" * 64 in str(caught.value)


@pytest.mark.parametrize(
    "expected", ["", "abc", "0" * 63, "0" * 65, "g" * 64, "0" * 32, "\x1b[31m" + "0" * 59, "\u0660" * 64]
)
def test_a_malformed_digest_is_refused(path: Path, expected: str) -> None:
    with pytest.raises(BadInput, match=r"is not a sha256 digest \(64 hex digits") as caught:
        require_digest(path, expected)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("bad", ["..", "none", "w.pth/below", "empty"])
def test_a_file_that_cannot_be_read_is_refused(path: Path, bad: str) -> None:
    (path.parent / "empty").touch()
    with pytest.raises(BadInput) as caught:
        require_digest(path.parent / bad, "0" * 64)
    assert str(caught.value).startswith(f"{path.parent / bad}: ")

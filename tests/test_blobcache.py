"""Compiled models kept on disk: used while they are what was written, and never when they are not."""

from __future__ import annotations

from pathlib import Path

import pytest
from damage import CHANGES, Change

from porter.files.sealed import SEAL, blobs


class TestFolder:
    def test_what_was_written_is_found_again(self, tmp_path: Path) -> None:
        with blobs(tmp_path / "kept", "a") as folder:
            assert folder is not None
            (folder / "1.blob").write_bytes(b"compiled")
        with blobs(tmp_path / "kept", "a") as folder:
            assert folder is not None and (folder / "1.blob").read_bytes() == b"compiled"

    @pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
    def test_what_was_changed_is_removed(self, tmp_path: Path, change: Change) -> None:
        with blobs(tmp_path, "a") as folder:
            assert folder is not None
            (folder / "1.blob").write_bytes(b"compiled")
        (tmp_path / "1.blob").write_bytes(change(b"compiled"))
        with blobs(tmp_path, "a") as folder:
            assert folder is not None and list(folder.iterdir()) == []

    @pytest.mark.parametrize("content", [None, b"", b"{", b'{"key": 3}', b"\xff\xfe"])
    def test_without_its_seal_nothing_is_trusted(self, tmp_path: Path, content: bytes | None) -> None:
        with blobs(tmp_path, "a") as folder:
            assert folder is not None
            (folder / "1.blob").write_bytes(b"compiled")
        (tmp_path / SEAL).unlink()
        if content is not None:
            (tmp_path / SEAL).write_bytes(content)
        with blobs(tmp_path, "a") as folder:
            assert folder is not None and list(folder.iterdir()) == []

    def test_another_model_or_setting_starts_anew(self, tmp_path: Path) -> None:
        with blobs(tmp_path, "a") as folder:
            assert folder is not None
            (folder / "1.blob").write_bytes(b"compiled")
        with blobs(tmp_path, "b") as folder:
            assert folder is not None and list(folder.iterdir()) == []

    def test_a_file_that_was_put_there_is_removed(self, tmp_path: Path) -> None:
        with blobs(tmp_path, "a"):
            pass
        (tmp_path / "2.blob").write_bytes(b"compiled elsewhere")
        with blobs(tmp_path, "a") as folder:
            assert folder is not None and list(folder.iterdir()) == []

    def test_no_folder_keeps_nothing(self, tmp_path: Path) -> None:
        with blobs(None, "a") as folder:
            assert folder is None
        (tmp_path / "file").write_bytes(b"")
        with blobs(tmp_path / "file" / "kept", "a") as folder:
            assert folder is None

"""Official configs load unchanged; every bad one gives a single line with the file and the key."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from porter import BadInput
from porter_hrnet.config import parse_config, read_config
from porter_hrnet.structure import HRNetConfig


def document() -> dict[str, Any]:
    """A config of the official form, oddities included."""
    stages: dict[str, Any] = {
        f"STAGE{branches}": {
            "NUM_MODULES": 1,
            "NUM_BRANCHES": branches,
            "BLOCK": "BASIC",
            "NUM_BLOCKS": [2] * branches,
            "NUM_CHANNELS": [16 << branch for branch in range(branches)],
            "FUSE_METHOD": "SUM",
        }
        for branches in (1, 2, 3, 4)
    }
    stages["STAGE1"]["NUM_RANCHES"] = stages["STAGE1"].pop("NUM_BRANCHES")
    return {
        "GPUS": "(0,1,2,3)",
        "MODEL": {"NAME": "cls_hrnet", "IMAGE_SIZE": [224, 224], "EXTRA": {"WITH_HEAD": True, **stages}},
        "TRAIN": {"WD": "1e-4"},
    }


def changed(key_path: str, value: Any) -> dict[str, Any]:
    """`document()` with one key set to `value`, or without it where `value` is `...`."""
    result = document()
    section, *keys = result, *key_path.split(".")
    for key in keys[:-1]:
        section = section[key]
    if value is ...:
        del section[keys[-1]]
    else:
        section[keys[-1]] = value
    return result


def parsed(key_path: str, value: Any) -> HRNetConfig:
    return parse_config(changed(key_path, value), where="hrnet.yaml")


def error_of(path: Path) -> str:
    with pytest.raises(BadInput) as caught:
        read_config(path)
    text = str(caught.value)
    assert "\n" not in text
    assert str(path) in text
    return text


def test_official_configs_load_unchanged(official_config: Path) -> None:
    config = read_config(official_config)
    assert config.image_size == (224, 224)
    assert (config.num_classes, config.head_channels, config.final_channels) == (1000, (32, 64, 128, 256), 2048)
    assert [len(stage.channels) for stage in config.stages] == [1, 2, 3, 4]
    assert [stage.block for stage in config.stages] == ["BOTTLENECK", "BASIC", "BASIC", "BASIC"]


@pytest.mark.parametrize(
    ("size", "height_and_width"),
    [
        ([192, 256], (256, 192)),  # the official order is width, height
        (224, (224, 224)),
        ([224], (224, 224)),
        ((192, 256), (256, 192)),
        ("(192, 256)", (256, 192)),  # a tuple is text to YAML
        ("[192, 256]", (256, 192)),
        ("(224,)", (224, 224)),
        ("224", (224, 224)),
        ([224.0, "2.24e2"], (224, 224)),
    ],
)
def test_image_size(size: Any, height_and_width: tuple[int, int]) -> None:
    assert parsed("MODEL.IMAGE_SIZE", size).image_size == height_and_width


def test_keys_beyond_the_official_code() -> None:
    assert parsed("MODEL.NUM_CLASSES", "1e1").num_classes == 10
    assert parsed("MODEL.EXTRA.HEAD_CHANNELS", "(4, 8, 16, 32)").head_channels == (4, 8, 16, 32)
    assert parsed("MODEL.EXTRA.FINAL_CHANNELS", 64).final_channels == 64


@pytest.mark.parametrize("key", ["MODEL.EXTRA.PRETRAINED_LAYERS", "MODEL.EXTRA.STAGE2.DROPOUT", "NEW", "TEST"])
def test_open_sections_take_any_key(key: str) -> None:
    assert parsed(key, ["*"]) == parse_config(document(), where="")


@pytest.mark.parametrize("key", ["NUM_RANCHES", "NUM_MODULES", "FUSE_METHOD"])
def test_stage_1_needs_no_key_that_the_official_code_does_not_read(key: str) -> None:
    assert parsed(f"MODEL.EXTRA.STAGE1.{key}", ...) == parse_config(document(), where="")


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("MODEL", ..., "missing"),
        ("MODEL", [1], "a mapping is needed, found a list"),
        ("MODEL", None, "has no value"),
        ("MODEL.NAME", "seg_hrnet", "'seg_hrnet' is not supported, expected cls_hrnet"),
        ("MODEL.NAME", ["cls_hrnet"], "a list is not supported"),
        ("MODEL.IMAGE_SIZE", ..., "missing"),
        ("MODEL.IMAGE_SIZE", [224, 224, 3], "found 3"),
        ("MODEL.IMAGE_SIZE", [], "0 values"),
        ("MODEL.IMAGE_SIZE", "", "a whole number is needed, found ''"),
        ("MODEL.IMAGE_SIZE", [224, 230], "multiples of 32"),
        ("MODEL.IMAGE_SIZE", {"W": 224}, "found a mapping"),
        ("MODEL.IMAGE_SIZE", [10**30, 224], "not within"),
        ("MODEL.NUM_CLASES", 10, "Did you mean 'NUM_CLASSES'?"),
        ("MODEL.NUM_CLASSES", 0, "not within 1..1000000"),
        ("MODEL.NUM_CLASSES", "ten", "a whole number is needed, found 'ten'"),
        ("MODEL.NUM_CLASSES", True, "found True"),
        ("MODEL.NUM_CLASSES", None, "has no value"),
        ("MODEL.NUM_CLASSES", 10.5, "a whole number"),
        ("MODEL.NUM_CLASSES", "1e-4", "a whole number is needed, found '1e-4'"),
        ("MODEL.NUM_CLASSES", float("nan"), "found nan"),
        ("MODEL.NUM_CLASSES", "inf", "a whole number is needed, found 'inf'"),
        ("MODEL.EXTRA.STAGE3", ..., "missing"),
        ("MODEL.EXTRA.STAGE2.NUM_BRANCHES", ..., "missing"),
        ("MODEL.EXTRA.STAGE2.NUM_BRANCHES", 3, "2 values for NUM_BRANCHES 3"),
        ("MODEL.EXTRA.STAGE2.NUM_CHANNELS", [18, 36, 72], "3 values for NUM_BRANCHES 2"),
        ("MODEL.EXTRA.STAGE2.NUM_CHANNELS", [18, "x"], "[1]: a whole number is needed, found 'x'"),
        ("MODEL.EXTRA.STAGE2.BLOCK", "BASICS", "'BASICS' is not supported, expected BASIC or BOTTLENECK"),
        ("MODEL.EXTRA.STAGE2.FUSE_METHOD", "CAT", "'CAT' is not supported"),
        ("MODEL.EXTRA.STAGE1.NUM_RANCHES", 2, "2 is not within 1..1"),
        ("MODEL.EXTRA.STAGE4.NUM_MODULES", 0, "not within"),
        ("MODEL.EXTRA.HEAD_CHANNELS", [32, 64, 128], "3 values for 4 branches"),
        ("MODEL.EXTRA.FINAL_CHANNELS", -1, "not within"),
    ],
)
def test_bad_values_name_the_key(key: str, value: Any, says: str) -> None:
    with pytest.raises(BadInput) as caught:
        parsed(key, value)
    text = str(caught.value)
    assert "\n" not in text
    assert says in text
    assert text.startswith("hrnet.yaml: ")
    stage1_as_a_whole = key.removesuffix(".NUM_RANCHES")
    assert stage1_as_a_whole in text or key.replace("BRANCHES", "BLOCKS") in text


def test_a_misspelt_required_key_is_recognised() -> None:
    wrong = changed("MODEL.EXTRA.STAGE2.NUM_BLOCKS", ...)
    wrong["MODEL"]["EXTRA"]["STAGE2"]["NUM_BLOCK"] = [2, 2]
    with pytest.raises(BadInput, match=r"STAGE2.NUM_BLOCKS: missing.*Did you mean 'NUM_BLOCK'"):
        parse_config(wrong, where="x")


def test_a_network_beyond_all_memory_is_refused() -> None:
    huge = changed("MODEL.EXTRA.STAGE4.NUM_CHANNELS", [4096] * 4)
    huge["MODEL"]["EXTRA"]["STAGE4"]["NUM_MODULES"] = 200
    with pytest.raises(BadInput, match="more than 4,000,000,000 parameters"):
        parse_config(huge, where="x")


def test_a_file_gives_what_its_document_gives(tmp_path: Path) -> None:
    path = tmp_path / "Öbild 图 , sp.yaml"
    path.write_text(yaml.safe_dump(document()), encoding="utf-8-sig")
    assert read_config(path) == read_config(str(path)) == parse_config(document(), where="")


BOMB = "a: &a [x, x]\n" + "".join(
    f"{b}: &{b} [*{a}, *{a}, *{a}]\n" for a, b in zip("abcdefghijk", "bcdefghijkl", strict=True)
)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"# nothing\n", "empty"),
        (b"- 1\n", "found list"),
        (b"cls_hrnet", "found str"),
        (b"MODEL: [", "line 1"),
        (b"MODEL: 1\nMODEL: 2\n", "line 2: key 'MODEL' is given twice"),
        (b"a: 1\n---\nb: 2\n", "line 2"),
        (b"\xff\xfe", "not UTF-8 text (byte 0)"),
        ("MODEL: {}".encode("utf-16"), "not UTF-8"),
        (b"MODEL: \xe9", "not UTF-8 text (byte 7)"),
        (b"a: \x00", "not a plain YAML file"),
        (b"PK\x03\x04", "not a plain YAML file"),
        (b"a: !!python/object/apply:os.system ['true']", "could not determine a constructor for the tag"),
        (b"a: 2020-13-45", "cannot be read"),
        (b"a: " + b"9" * 5000, "digits of a number in a config: 100 is the limit"),
        (b"[" * 50_000, "levels of a config: 50 is the limit"),
        (b"#" * (2 << 20), "config: 1 MB is the limit"),
        (BOMB.encode(), "aliases in a config: 32 is the limit"),
        (b"{}", "MODEL: missing"),
        (b"a: &a\n  b: *a\n", "MODEL: missing"),
    ],
)
def test_bad_files(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(content)
    assert says in error_of(path)


def test_paths_that_are_no_file(tmp_path: Path) -> None:
    assert "no such file" in error_of(tmp_path / "none.yaml")
    assert "a folder" in error_of(tmp_path)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert "not a regular file; the path of the file itself is needed" in error_of(pipe)
    for hostile in ("a\0b", "a\nb\x1b[2J", "a" * 5000):
        with pytest.raises(BadInput) as caught:
            read_config(hostile)
        assert str(caught.value).isprintable()

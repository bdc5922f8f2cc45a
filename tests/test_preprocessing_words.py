"""Every declared preprocessing is said in the right words, in both languages and in every document."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tiny import start, write_photos

from porter.cli.main import main
from porter.contracts.form import Form, FormRequest
from porter.documents.deliver import render
from porter.documents.languages import CHINESE, ENGLISH
from porter.errors import BadInput
from porter.records.record import RunRecord
from porter.records.spec import PreprocessSpec
from porter.runfolder.record_file import read_record, write_record
from porter_ascend.forms import FORMS

README, REPORT = "README.md.j2", "report.html.j2"
CASES: list[tuple[dict[str, Any], list[str], list[str]]] = [
    (
        {"resize": 9, "crop": (8, 8), "interpolation": "opencv_area"},
        ["resize the short side to 9 pixels, OpenCV area average, the long side cut to a whole pixel;", "crop the"],
        ["短边缩放至 9 像素（OpenCV 区域平均插值），长边按比例缩放并向下取整；", "中心裁剪为 8×8；"],
    ),
    (
        {"fit": "letterbox", "crop": (8, 6), "interpolation": "opencv_linear", "pad": (114,), "enlarge": False},
        [
            "resize the whole image to fit into 8×6, OpenCV linear, not antialiased, the aspect kept;",
            "leave an image that is smaller as it is;",
            "pad to 8×6 on both sides alike with grey level 114;",
        ],
        [
            "整张图片保持宽高比缩放到 8×6 以内（OpenCV 双线性插值，无抗锯齿）；",
            "较小的图片不放大；",
            "在两侧均匀地以灰度值 114",
        ],
    ),
    (
        {"fit": "letterbox", "crop": (8, 8), "pad": (1, 2, 3), "pad_at": "end", "interpolation": "lanczos"},
        [
            "fit into 8×8, Lanczos, antialiased, the aspect kept;",
            "pad to 8×8 below and on the right with RGB 1, 2, 3;",
        ],
        ["（Lanczos 插值，抗锯齿）", "在右侧和下方以RGB 值 1、2、3 填充至 8×8；"],
    ),
    (
        {"fit": "long_side", "resize": 9, "long_side": "round", "multiple": 4, "interpolation": "opencv_cubic"},
        [
            "resize the long side to 9 pixels, OpenCV cubic, not antialiased, the other side rounded to a whole pixel;",
            "pad below and on the right with grey level 0, height and width to a multiple of 4 pixels;",
        ],
        [
            "长边缩放至 9 像素（OpenCV 双三次插值，无抗锯齿），短边按比例缩放并四舍五入取整；",
            "使高和宽均为 4 像素的整数倍；",
        ],
    ),
    (
        {"fit": "long_side", "resize": 9, "interpolation": "nearest"},
        ["resize the long side to 9 pixels, nearest pixel, the other side cut to a whole pixel;"],
        ["长边缩放至 9 像素（最近邻插值），短边按比例缩放并向下取整；"],
    ),
    (
        {"fit": "none", "channels": "GRAY", "mean": (0.5,), "std": (0.25,)},
        ["decode to RGB, then to grey (ITU-R 601);", "keep the size of the image;", "subtract the mean"],
        ["解码为 RGB，再转换为灰度（ITU-R 601）；", "保持图片原尺寸；"],
    ),
    (
        {"fit": "box", "crop": (8, 6), "box_scale": 1.1, "pad": (7,)},
        [
            "widen the box of each item around its centre to the aspect of 8×6, then 1.1 times as large;",
            "warp it to 8×6, OpenCV linear, not antialiased, with grey level 7 outside of the image;",
        ],
        [
            "将框扩展到 8×6 的宽高比，再放大 1.1 倍；",
            "将框仿射变换到 8×6（OpenCV 双线性插值，无抗锯齿），图片之外填充灰度值 7；",
        ],
    ),
]


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    folder = tmp_path_factory.mktemp("words")
    labels = write_photos(folder / "val", [0, 1, 2])
    start(folder / "out", folder / "val", labels).everything()
    return read_record(folder / "out")


def with_preprocessing(record: RunRecord, fields: dict[str, Any]) -> RunRecord:
    assert record.model is not None
    return replace(record, model=replace(record.model, preprocess=PreprocessSpec(**fields)))


@pytest.mark.parametrize(("fields", "english", "chinese"), CASES)
def test_the_words_of_every_preprocessing(
    record: RunRecord, fields: dict[str, Any], english: list[str], chinese: list[str]
) -> None:
    changed = with_preprocessing(record, fields)
    for language, words in ((ENGLISH, english), (CHINESE, chinese)):
        document = render(README, changed, language=language)
        assert [one for one in words if one not in document] == []
        crops = [one for one in ("crop the centre", "中心裁剪") if one in document]
        assert bool(crops) is (changed.model is not None and changed.model.image.fit == "cover")
    report = render(REPORT, changed).replace("&#39;", "'")
    assert [one for one in english if one not in report] == []


@pytest.mark.parametrize(("fields", "english", "chinese"), CASES)
def test_the_model_card_says_them_and_shows_no_code_that_is_another_pipeline(
    record: RunRecord, fields: dict[str, Any], english: list[str], chinese: list[str], tmp_path: Path
) -> None:
    write_record(tmp_path, with_preprocessing(record, fields))
    with pytest.raises(SystemExit) as stopped:
        main(["report", str(tmp_path), "--template", "huggingface"])
    assert stopped.value.code == 0
    card = (tmp_path / "huggingface/README.md").read_text(encoding="utf-8")
    said = [one[1:].rstrip(";") for one in english]
    assert [one for one in said if one not in card] == []
    assert "Image.Resampling" not in card


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_a_form_whose_scripts_cannot_do_it_refuses(record: RunRecord, form: Form) -> None:
    changed = with_preprocessing(record, {"fit": "letterbox", "crop": (8, 8)})
    with pytest.raises(BadInput, match=f"form {form.name}: its scripts preprocess photos by a resize and a centre"):
        form.files(FormRequest(record=changed, render=unrendered))


def unrendered(*_: object, **__: object) -> str:
    raise AssertionError("refused before anything is written")

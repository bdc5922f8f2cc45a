"""What the delivery documents say of the sample's model, in English and in Chinese."""

from __future__ import annotations

TITLE = "Segmentation of drawn shapes"
DESCRIPTION = (
    "A small encoder with dilated convolutions that gives a class for every fourth pixel, and a sum of two resolutions."
)
NOTE = (
    "A small network, trained on drawn shapes; images, masks and weights were made by the plugin's own "
    "training/train_sample.py, see its sample/ORIGIN.md."
)
CHINESE = {
    TITLE: "图形语义分割模型-推理指导",
    DESCRIPTION: "小型编码器，使用空洞卷积并融合两种分辨率的特征，每 4 个像素输出一个类别。",
    NOTE: (
        "小型网络，在绘制的图形上训练；图片、标注和权重均由插件的 training/train_sample.py 生成，"
        "见 `sample/ORIGIN.md`。"
    ),
}

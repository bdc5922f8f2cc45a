"""What the delivery documents say of the models, in English and in Chinese."""

from __future__ import annotations

DESCRIPTION = (
    "EfficientNet for mobile and edge devices, without squeeze-and-excitation and with ReLU6 instead of swish."
)
PUBLISHED_NOTE = (
    "measured by the authors with their TensorFlow weights; their preprocessing crops the centre before resizing, "
    "with TensorFlow's bicubic filter, which is not antialiased"
)
PARAMETERS = "Parameters (published)"
SOURCE = "README of models/official/efficientnet/lite in github.com/tensorflow/tpu, column FP32 accuracy"


def weights_note(package: str) -> str:
    """Package of the weights, and their origin."""
    return (
        f"Weights are in the package {package} (ML Illustrated, Apache License 2.0), converted from the authors' "
        "TensorFlow weights."
    )


def multiply_adds(size: int) -> str:
    """Title of the published cost at one image size."""
    return f"Multiply-adds at {size}×{size} (published)"


def title(name: str) -> str:
    """Title of the documents of one model, e.g. EfficientNet-Lite0."""
    return f"{name} image classification"


def chinese(name: str, package: str, size: int) -> dict[str, str]:
    """All of it in Chinese."""
    return {
        title(name): f"{name} 模型-推理指导",
        SOURCE: "github.com/tensorflow/tpu 中 models/official/efficientnet/lite 的 README，FP32 accuracy 一列",
        DESCRIPTION: "面向移动端和边缘设备的 EfficientNet，去除了 squeeze-and-excitation，并用 ReLU6 替代 swish。",
        PUBLISHED_NOTE: "由作者用 TensorFlow 权重测得；其预处理先裁剪中心区域再缩放，"
        "使用 TensorFlow 的双三次插值，不抗锯齿",
        PARAMETERS: "参数量（官方值）",
        weights_note(package): f"权重在软件包 {package} 中（ML Illustrated，Apache License 2.0），由作者的 TensorFlow "
        "权重转换而来。",
        multiply_adds(size): f"乘加次数（{size}×{size}，官方值）",
    }

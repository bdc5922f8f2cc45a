"""What the delivery documents say of the models, in English and in Chinese."""

from __future__ import annotations

DESCRIPTION = (
    "EfficientNet without squeeze-and-excitation, and with ReLU6 in place of swish, for mobile and edge devices."
)
PUBLISHED_NOTE = (
    "measured by the authors on their TensorFlow weights; their preprocessing cuts out the centre before it resizes, "
    "with TensorFlow's bicubic filter, which is not antialiased"
)
PARAMETERS = "Parameters (published)"


def weights_note(package: str) -> str:
    """Where the weights lie, and from what they were made."""
    return (
        f"It lies in the package {package} (ML Illustrated, Apache License 2.0), converted from the authors' "
        "TensorFlow weights."
    )


def multiply_adds(size: int) -> str:
    """Title of the published cost at one image size."""
    return f"Multiply-adds at {size}x{size} (published)"


def chinese(package: str, size: int) -> dict[str, str]:
    """All of it in Chinese."""
    return {
        DESCRIPTION: "去除 squeeze-and-excitation 并以 ReLU6 替代 swish 的 EfficientNet，面向移动端和边缘设备。",
        PUBLISHED_NOTE: "由作者以其 TensorFlow 权重测得；其预处理先裁剪中心区域再缩放，"
        "所用 TensorFlow 双三次插值不抗锯齿",
        PARAMETERS: "参数量（公布值）",
        weights_note(package): f"权重在软件包 {package} 中（ML Illustrated，Apache License 2.0），由作者的 TensorFlow "
        "权重转换而来。",
        multiply_adds(size): f"{size}x{size} 下的乘加次数（公布值）",
    }

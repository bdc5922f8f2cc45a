"""What the delivery documents say of the model, in English and in Chinese."""

from __future__ import annotations

DESCRIPTION = (
    "HRNet keeps high-resolution representations through the whole network, in parallel branches that exchange "
    "information at every stage, and classifies from all of them."
)
SAMPLE_NOTE = (
    "A narrow HRNet trained on patches of freely licensed photographs. Origin and licences are in the plugin's "
    "sample/ORIGIN.md."
)
PUBLISHED_NOTE = "single centre crop of 224×224; the authors' first checkpoints, not those with CutMix or SSLD"

PARAMETERS = "Parameters (published)"
COST = "GFLOPs at 224×224 (published)"
SOURCE = "README of github.com/HRNet/HRNet-Image-Classification"


def title(variant: str) -> str:
    """Title of the documents of one variant; empty: of a network that is none of the published ones."""
    return f"HRNet {variant} image classification" if variant else "HRNet image classification"


def chinese(variant: str) -> dict[str, str]:
    """All of it in Chinese."""
    name = f"HRNet-{variant.upper()}" if variant else "HRNet"
    return {
        DESCRIPTION: "HRNet 在整个网络中保持高分辨率特征，多个并行分支在每个阶段交换信息，最后综合全部分支进行分类。",
        SAMPLE_NOTE: "样例模型为精简宽度的 HRNet，用自由许可照片的局部图块训练；来源与许可证见 `sample/ORIGIN.md`。",
        PUBLISHED_NOTE: "224×224 单次中心裁剪；对应作者首次发布的权重，不是 CutMix 或 SSLD 版本",
        PARAMETERS: "参数量（官方值）",
        COST: "计算量（224×224，GFLOPs，官方值）",
        SOURCE: "github.com/HRNet/HRNet-Image-Classification 的 README",
        title(variant): f"{name} 模型-推理指导",
    }

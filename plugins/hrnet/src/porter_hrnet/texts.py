"""What the delivery documents say of the model, in English and in Chinese."""

from __future__ import annotations

DESCRIPTION = (
    "HRNet keeps high-resolution representations through the whole network, in parallel branches that exchange "
    "information at every stage, and classifies from all of them."
)
SAMPLE_NOTE = (
    "A narrow HRNet trained on patches of freely licensed photographs; origin and licences are in the plugin's "
    "sample/ORIGIN.md."
)
PUBLISHED_NOTE = "single centre crop of 224x224; the authors' first checkpoints, not those with CutMix or SSLD"

SOURCE = "README of github.com/HRNet/HRNet-Image-Classification"

CHINESE = {
    SOURCE: "github.com/HRNet/HRNet-Image-Classification 的 README",
    DESCRIPTION: "HRNet 在整个网络中始终保持高分辨率特征，多个并行分支在每个阶段交换信息，最后综合全部分支进行分类。",
    SAMPLE_NOTE: "样例为在可自由使用的照片块上训练的窄版 HRNet；来源与许可证见插件的 sample/ORIGIN.md。",
    PUBLISHED_NOTE: "单次中心裁剪 224x224；为作者最早发布的权重，而非使用 CutMix 或 SSLD 训练的权重",
    "Parameters (published)": "参数量（公布值）",
    "GFLOPs at 224x224 (published)": "224x224 下的 GFLOPs（公布值）",
}

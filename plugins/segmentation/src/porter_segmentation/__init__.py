"""Semantic segmentation for porter: the task, masks as people have them, and a small model to try it on."""

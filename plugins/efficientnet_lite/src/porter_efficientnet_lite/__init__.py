"""EfficientNet-Lite image classification for porter."""

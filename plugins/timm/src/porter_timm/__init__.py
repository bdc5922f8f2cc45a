"""timm's image models for porter."""

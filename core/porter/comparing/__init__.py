"""Two runs side by side, from their records and their predictions."""

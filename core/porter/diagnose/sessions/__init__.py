"""What a session gets wrong beside the numbers: calls whose right outputs are known."""

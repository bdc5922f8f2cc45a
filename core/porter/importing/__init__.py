"""Figures that were measured elsewhere, brought into a run's record with the files that they come from."""

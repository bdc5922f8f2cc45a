"""Fuzzing of everything that reads what a stranger may have written. `make fuzz SECONDS=300` runs it for longer."""

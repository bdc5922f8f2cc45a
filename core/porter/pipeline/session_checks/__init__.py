"""What a session can get wrong beside its arithmetic, each a check with a name: of sessions and arrays, not of runs."""

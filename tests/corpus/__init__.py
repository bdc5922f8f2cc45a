"""Bad and hostile inputs, each with the line and the exit code that it must end with. `tests/test_corpus.py` runs them."""

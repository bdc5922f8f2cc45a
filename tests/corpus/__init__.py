"""Bad and hostile inputs, each with the line and exit code that it must end with, for `tests/test_corpus.py`."""

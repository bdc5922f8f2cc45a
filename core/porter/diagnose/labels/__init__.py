"""Labels under which the answers would be right: which fault of the labels explains it."""

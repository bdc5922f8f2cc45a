"""porter from Python: the commands as functions, with the same options and the same one line for each error."""

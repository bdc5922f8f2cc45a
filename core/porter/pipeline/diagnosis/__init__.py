"""diagnose: the failure of a run made again under its own conditions, and what each trial says of its cause."""

"""A plugin with a task that core does not know: one class a pixel, scored by intersection over union."""

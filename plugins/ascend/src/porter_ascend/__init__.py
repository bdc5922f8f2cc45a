"""Ascend NPUs for porter: file formats, command lines and logs of CANN's tools, and the runtime `ascend`."""

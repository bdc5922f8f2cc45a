"""The Ascend side: file formats, command lines and logs of CANN's tools. Nothing here knows the pipeline."""

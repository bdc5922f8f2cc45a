"""Before any test imports PyTorch: its threads sleep while they wait, as in a run."""

from porter.machine import let_threads_sleep

let_threads_sleep()

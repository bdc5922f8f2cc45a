"""`--target [RUNTIME=]NAME`: a chip that nothing is built for is refused, and never left out in silence."""

from __future__ import annotations

import pytest

from porter.builtin.onnxruntime import OnnxRuntime
from porter.errors import BadInput
from porter.pipeline.job.chips import require_chips_known, require_chips_used


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (("=X",), "--target =X: not "),
        (("onnxruntime=",), "--target onnxruntime=: not "),
        (("",), "--target : not "),
        (("onxruntime=X",), "Runtimes: onnxruntime. Did you mean 'onnxruntime'?"),
        (("A", "B"), "--target B: a second chip for every runtime. Use one"),
        (("onnxruntime=A", "onnxruntime=B"), "a second chip for runtime onnxruntime. Use one"),
    ],
)
def test_a_wrong_form_is_one_line(given: tuple[str, ...], reason: str) -> None:
    with pytest.raises(BadInput) as caught:
        require_chips_known(given, [OnnxRuntime()])
    assert reason in str(caught.value) and "\n" not in str(caught.value)


def test_one_for_all_and_one_for_a_runtime_go_together() -> None:
    require_chips_known(("A", "onnxruntime=B=2"), [OnnxRuntime()])


@pytest.mark.parametrize("given", ["A", "one=A"])
def test_a_chip_that_nothing_is_built_for_is_refused(given: str) -> None:
    with pytest.raises(BadInput, match=f"--target {given}: one has no chip to choose. Omit the option"):
        require_chips_used((given,), {"one": None})
    require_chips_used((given,), {"one": "A", "two": None})
    require_chips_used(("two=A",), {"one": "A"})  # left out of the run, which says why by itself

"""Where alignment runs, on a machine without a GPU."""

import pytest

from triscribe_align.errors import AlignError
from triscribe_align.runtime import prove, settle


def test_a_convolution_runs_on_the_cpu():
    prove("cpu")
    assert settle("cpu") == ("cpu", False)


def test_cuda_gives_way_only_to_auto():
    with pytest.raises(AlignError, match="CUDA provider"):
        prove("cuda")
    assert settle("auto") == ("cpu", True)
    assert settle("cuda") == ("cuda", False), "who insists gets the error from the session"

"""The run directory of the embedded server."""

import errno
import os
import shutil

import pytest

from triscribe.errors import ServingError
from triscribe.serving.embedded import ServeOptions, _written


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "config.pbtxt"),
        shutil.Error([("from", "to", "[Errno 28] No space left on device: 'to'")]),
    ],
    ids=["file", "tree"],
)
def test_a_run_directory_without_room_is_told_with_the_remedy(tmp_path, error):
    with pytest.raises(ServingError, match=r"No space left.*TMPDIR"), _written(tmp_path):
        raise error


def test_a_server_for_one_call_does_nothing_before_or_after_it():
    options = ServeOptions(models=("tiny.en",)).for_one_call()
    assert options.models == ("tiny.en",)
    assert not options.warm_up
    assert not options.watch.first_answer
    assert options.drain_s == 0.0

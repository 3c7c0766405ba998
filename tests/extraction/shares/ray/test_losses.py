"""Why a worker was lost."""

import pytest

from cellfeat.extraction.shares.ray.losses import loss_of

IMPORT = """The actor died because of an error raised in its creation task, ray::PartsActor (pid=7, ip=192.0.2.7)
RuntimeError: The actor with name PartsActor failed to import on the worker.
ModuleNotFoundError: No module named 'cellfeat'"""


@pytest.mark.parametrize(
    ("text", "told", "is_own"),
    [
        ("The actor died because its node has died. Node Id: 7", "machine is gone", False),
        ("The actor 7 is unavailable: RpcError", "does not answer", False),
        ("its worker process has died. Worker exit type: SYSTEM_ERROR", "process was killed", True),
        ("Task was killed due to the node running low on memory.", "out of memory", True),
        ("something\nelse", "else", True),
        ("", "no reason", True),
    ],
)
def test_loss_is_told_in_words(text: str, told: str, is_own: bool) -> None:
    loss = loss_of(RuntimeError(text))
    assert told in str(loss)
    assert loss.is_own == is_own
    assert not loss.lacks_package


def test_machine_without_cellfeat_is_named() -> None:
    loss = loss_of(RuntimeError(IMPORT))
    assert loss.lacks_package
    assert str(loss) == "192.0.2.7: ModuleNotFoundError: No module named 'cellfeat'"

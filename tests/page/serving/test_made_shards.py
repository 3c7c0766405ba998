import pytest

from cellfeat.page.serving.made_shards import MadeShards


def test_shards_are_kept_up_to_their_memory():
    made = []
    shards = MadeShards({name: lambda name=name: made.append(name) or bytes(300) for name in "abc"}, kept_bytes=1000)
    for name in "aabcab":
        assert shards.script(name)
    assert made == ["a", "b", "c", "a", "b"]
    assert shards.script("d") is None


def test_shard_that_failed_is_tried_again():
    answers = iter([OSError("gone"), b"back"])

    def make():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    shards = MadeShards({"a": make})
    with pytest.raises(OSError, match="gone"):
        shards.script("a")
    assert shards.script("a")

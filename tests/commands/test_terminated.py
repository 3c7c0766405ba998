import signal
import subprocess
import sys

ENDED_WITH_ITS_HELPERS = """
import os, signal, time
from cellfeat import commands
from cellfeat.errors import CellfeatError

def lose_helpers(*_, **__):
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)
    except KeyboardInterrupt:
        raise CellfeatError("the cluster is gone") from None

commands.cellfeat.main = lose_helpers
commands.main()
"""


def test_error_after_sigterm_has_the_exit_code_of_sigterm() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ENDED_WITH_ITS_HELPERS], stderr=subprocess.PIPE, text=True, check=False, timeout=60
    )
    assert done.returncode == 128 + signal.SIGTERM, done.stderr
    assert "error: the cluster is gone" in done.stderr

import subprocess
import sys
import threading

import pytest

from cellfeat.samples.daemon_pool import DaemonPool


def test_calls_give_results_and_errors() -> None:
    pool = DaemonPool(3, "test")
    futures = [pool.submit(divmod, number, 2) for number in range(20)]
    assert [future.result() for future in futures] == [divmod(number, 2) for number in range(20)]
    with pytest.raises(ZeroDivisionError):
        pool.submit(divmod, 1, 0).result()
    pool.close()


def test_closing_drops_calls_that_have_not_begun() -> None:
    pool, began, go_on, done = DaemonPool(1, "test"), threading.Event(), threading.Event(), []

    def wait() -> None:
        began.set()
        go_on.wait()

    first = pool.submit(wait)
    pool.submit(done.append, 1)
    began.wait()
    pool.close()
    go_on.set()
    first.result(timeout=5)
    assert done == []


def test_program_ends_while_a_call_waits() -> None:
    code = (
        "import time; from cellfeat.samples.daemon_pool import DaemonPool; "
        "DaemonPool(2, 'test').submit(time.sleep, 600); time.sleep(0.2)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)

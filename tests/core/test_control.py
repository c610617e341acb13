from __future__ import annotations

import threading

from semidavil_core.control import RunControl


def test_a_new_job_may_run() -> None:
    control = RunControl()
    assert (control.paused, control.stop_requested) == (False, False)
    assert control.wait_if_paused(0)


def test_a_paused_job_waits_until_it_is_resumed() -> None:
    control = RunControl()
    control.pause()
    assert control.paused
    assert not control.wait_if_paused(0.01)
    control.resume()
    assert not control.paused
    assert control.wait_if_paused(0)


def test_stop_wakes_a_paused_job() -> None:
    control, woken = RunControl(), threading.Event()
    control.pause()
    job = threading.Thread(target=lambda: control.wait_if_paused(10) and woken.set())
    job.start()
    control.stop()
    job.join(10)
    assert woken.is_set()
    assert control.stop_requested


def test_a_pause_after_a_stop_does_not_hold_the_job_up() -> None:
    control = RunControl()
    control.stop()
    control.pause()
    assert not control.paused
    assert control.wait_if_paused(0)

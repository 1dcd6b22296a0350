"""Whom a download asks next."""

from __future__ import annotations

from plant_classification.data.downloading.polite_queue import Manners, PoliteQueue


def test_a_host_that_was_given_up_is_not_asked_again() -> None:
    jobs = iter(["a/1", "a/2", "a/3"])
    queue = PoliteQueue(
        jobs, lambda job: job[0], Manners(pause_seconds=0, first_wait=0, most_asked=0)
    )
    first, second = queue.take(), queue.take()
    assert first and second  # noqa: PT018
    assert (first.job, second.job) == ("a/1", "a/2")
    queue.busy(first, 0.1)
    queue.busy(second, None)
    assert queue.take() is None
    assert list(queue.given_up) == ["a"]

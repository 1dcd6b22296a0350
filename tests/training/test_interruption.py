"""Being told to stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from plant_classification.training.interruption import told_to_stop


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """SIGINT as Python has it, which a shell's background job ignores."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_is_remembered(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with told_to_stop() as told:
        assert not told()
        signal.raise_signal(number)
        assert told()
    assert signal.getsignal(number) == before


def test_a_second_signal_acts_as_ever() -> None:
    with told_to_stop() as told:
        signal.raise_signal(signal.SIGTERM)
        assert told()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_what_is_ignored_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with told_to_stop() as told:
        signal.raise_signal(signal.SIGINT)
        assert not told()


def test_another_thread_is_never_told() -> None:
    said: list[bool] = []

    def work() -> None:
        with told_to_stop() as told:
            said.append(told())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert said == [False]

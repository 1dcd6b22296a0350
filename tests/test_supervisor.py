"""Inference in a child process: what kills it is an error of one request alone."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from processes import alive, all_gone, children, wait_until
from tiny_network import write_tiny_model

from plant_classification import Answer, Classifier
from plant_classification.errors import (
    ArgumentError,
    DeadlineError,
    ModelFolderError,
    PhotoError,
    UnavailableError,
    UnknownModelError,
)
from plant_classification.inference import Request, Supervisor, child
from plant_classification.models import STARTER, ModelFolder
from plant_classification.models.choosing import STARTER_FOLDER
from plant_classification.models.folder import NETWORK_WEIGHTS
from plant_classification.photos import Upload, Url
from plant_classification.question import Question
from plant_classification.settings import Settings, load_settings


@pytest.fixture
def supervisor(settings: Settings) -> Iterator[Supervisor]:
    owner = Supervisor(settings)
    yield owner
    owner.close()


@pytest.fixture
def silent_server() -> Iterator[socket.socket]:
    """A server that takes a connection and then says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        yield server


def asking(silent_server: socket.socket, settings: Settings) -> tuple[Request, Settings]:
    """A request that the server keeps waiting, and settings that let it be asked."""
    host = f"127.0.0.1:{silent_server.getsockname()[1]}"
    request = Request([Url(f"http://{host}/photo.jpg")])
    return request, dataclasses.replace(settings, url_private_hosts=(host,), url_seconds=600)


def test_a_newest_model_that_is_removed_while_it_is_loaded_is_not_the_newest_any_more(
    settings: Settings, flower: Path
) -> None:
    """As when a training is cancelled that has just written it."""
    write_tiny_model(settings.models_dir / "newest")

    def load(folder: ModelFolder) -> Classifier:
        if folder.name == "newest":
            (folder.path / NETWORK_WEIGHTS).unlink(missing_ok=True)
        return Classifier(folder, settings)

    answer = child._answer(Request([flower]), settings, load)
    assert isinstance(answer, Answer)
    assert answer.model.name == STARTER
    assert child._answer(None, settings, load) is None
    named = child._answer(Request([flower], model="newest"), settings, load)
    assert isinstance(named, ModelFolderError)


def child_of_this_process(before: list[int]) -> int:
    (child,) = set(children(os.getpid())) - set(before)
    return child


def test_the_answer_is_that_of_a_classifier_in_this_process(
    supervisor: Supervisor, settings: Settings, flower: Path
) -> None:
    expected = Classifier.load(settings=settings).identify(flower, ["flower"], crops=5)
    answer = supervisor.identify(Request([flower], ["flower"], Question(crops=5)))
    assert answer.to_dict() == expected.to_dict()


def test_an_upload_is_called_by_its_senders_name(
    supervisor: Supervisor, flower: Path, tmp_path: Path
) -> None:
    shutil.copy(flower, tmp_path / "tmp1234")
    answer = supervisor.identify(Request([Upload(tmp_path / "tmp1234", "mine.JPG")]))
    assert answer.photos[0].name == "mine.JPG"


def test_errors_come_through_as_they_are_and_the_next_request_is_answered(
    supervisor: Supervisor, flower: Path
) -> None:
    with pytest.raises(PhotoError):
        supervisor.identify(Request([flower.read_bytes()[:2000]]))
    with pytest.raises(ArgumentError, match="There is no species list 'garden'"):
        supervisor.identify(Request([flower], question=Question(species_list="garden")))
    with pytest.raises(UnknownModelError, match="there are: starter"):
        supervisor.identify(Request([flower], model="other"))
    assert supervisor.identify(Request([flower])).candidates


def test_a_killed_child_is_an_error_of_its_request_and_the_next_one_is_answered(
    settings: Settings, flower: Path, silent_server: socket.socket
) -> None:
    before = children(os.getpid())
    waiting, settings = asking(silent_server, settings)
    supervisor = Supervisor(settings)
    supervisor.warm()
    child = child_of_this_process(before)
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(supervisor.identify, waiting)
        with silent_server.accept()[0]:
            os.kill(child, signal.SIGKILL)
            with pytest.raises(UnavailableError, match="try again") as caught:
                pending.result(60)
    assert caught.value.status == 503
    assert caught.value.retry_after
    assert supervisor.identify(Request([flower])).candidates
    assert not alive(child)
    supervisor.close()


def test_a_child_killed_between_two_requests_is_replaced_unnoticed(
    settings: Settings, flower: Path
) -> None:
    before = children(os.getpid())
    supervisor = Supervisor(settings)
    assert supervisor.identify(Request([flower])).candidates
    child = child_of_this_process(before)
    os.kill(child, signal.SIGKILL)
    wait_until(all_gone([child]), "the child is gone")
    assert supervisor.identify(Request([flower])).candidates
    supervisor.close()


def test_an_interrupted_request_leaves_no_answer_to_the_next_one(
    tmp_path: Path, flower: Path
) -> None:
    program = (
        "import signal, sys, threading\n"
        "from plant_classification.inference import Request, Supervisor\n"
        "from plant_classification.question import Question\n"
        "from plant_classification.settings import load_settings\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "supervisor = Supervisor(load_settings())\n"
        "supervisor.warm()\n"
        "photo = sys.argv[1]\n"
        "interrupt = threading.Timer(0.1, signal.raise_signal, [signal.SIGINT])\n"
        "interrupt.start()\n"
        "try:\n"
        "    while True:\n"
        "        supervisor.identify(Request([photo] * 5, question=Question(crops=10)))\n"
        "except KeyboardInterrupt:\n"
        "    print(len(supervisor.identify(Request([photo])).photos))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, flower],
        env=os.environ | {"PLANT_CLASSIFICATION_MODELS_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    assert done.stdout == "1\n"


def test_a_request_that_waits_too_long_for_its_turn_is_told_to_come_back(
    settings: Settings, silent_server: socket.socket
) -> None:
    waiting, settings = asking(silent_server, settings)
    supervisor = Supervisor(dataclasses.replace(settings, deadline_seconds=5))
    with ThreadPoolExecutor(3) as pool:
        pending = [pool.submit(supervisor.identify, waiting) for _ in range(3)]
        errors = {type(request.exception(60)) for request in pending}
    assert errors == {DeadlineError, UnavailableError}
    supervisor.close()


def test_the_deadline_ends_the_work_and_the_next_request_is_answered(
    settings: Settings, flower: Path, silent_server: socket.socket
) -> None:
    waiting, settings = asking(silent_server, settings)
    supervisor = Supervisor(dataclasses.replace(settings, deadline_seconds=5))
    supervisor.warm()
    with pytest.raises(DeadlineError, match="within 5 seconds"):
        supervisor.identify(waiting)
    assert supervisor.identify(Request([flower])).candidates
    supervisor.close()


def test_requests_from_many_threads_take_turns(supervisor: Supervisor, flower: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(supervisor.identify, [Request([flower])] * 24))
    assert all(answer == answers[0] for answer in answers)


def test_a_new_model_is_seen_at_once(
    supervisor: Supervisor, settings: Settings, flower: Path
) -> None:
    assert supervisor.identify(Request([flower])).model.name == "starter"
    settings.models_dir.mkdir()
    shutil.copytree(STARTER_FOLDER, settings.models_dir / "mine")
    assert supervisor.identify(Request([flower])).model.path == settings.models_dir / "mine"


def test_closing_ends_the_child(settings: Settings) -> None:
    before = children(os.getpid())
    supervisor = Supervisor(settings)
    child = child_of_this_process(before)
    supervisor.close()
    wait_until(all_gone([child]), "the child is gone")


def test_closing_ends_what_is_asked_and_nothing_is_started_again(
    settings: Settings, silent_server: socket.socket
) -> None:
    before = children(os.getpid())
    waiting, settings = asking(silent_server, settings)
    supervisor = Supervisor(dataclasses.replace(settings, deadline_seconds=600))
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(supervisor.identify, waiting)
        with silent_server.accept()[0]:
            supervisor.close()
            assert isinstance(pending.exception(60), UnavailableError)
    with pytest.raises(UnavailableError):
        supervisor.identify(waiting)
    assert children(os.getpid()) == before


PARENT = """
import signal, sys, time
# A shell's background job ignores SIGINT, and so does what it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)
from plant_classification.inference import Supervisor
from plant_classification.settings import load_settings
supervisor = Supervisor(load_settings())
supervisor.warm()
print("ready", flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_child_ends_when_its_parent_is_gone(how: signal.Signals, tmp_path: Path) -> None:
    environment = os.environ | {"PLANT_CLASSIFICATION_MODELS_DIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", PARENT],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    ) as parent:
        assert parent.stdout
        assert parent.stdout.readline() == b"ready\n"
        family = children(parent.pid)
        assert family
        parent.send_signal(how)
        parent.wait(60)
        wait_until(all_gone(family), "the child is gone")


def test_processors_are_divided_among_workers(settings: Settings) -> None:
    alone = Supervisor(settings)
    one_of_many = Supervisor(settings, workers=1000)
    asked = Supervisor(load_settings(threads=3), workers=1000)
    threads = [owner.settings.threads for owner in (alone, one_of_many, asked)]
    for owner in (alone, one_of_many, asked):
        owner.close()
    assert threads == [len(os.sched_getaffinity(0)), 1, 3]


def test_no_thread_is_left_behind(supervisor: Supervisor, flower: Path) -> None:
    supervisor.identify(Request([flower]))
    count = threading.active_count()
    for _ in range(5):
        supervisor.identify(Request([flower]))
    assert threading.active_count() == count

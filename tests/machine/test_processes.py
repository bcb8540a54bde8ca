"""Child processes, real ones: what they say, how they die, and that none outlives its parent."""

from __future__ import annotations

import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from impasto.machine.processes import Child, ChildEnded, Inbox, Parent
from support.processes import alive, wait_until

on_posix = pytest.mark.skipif(os.name != "posix", reason="kills by signals")


def answer_twice(parent: Parent) -> None:
    while True:
        message = parent.receive()
        print("a library prints")
        parent.send(message)
        parent.send(os.environ.get("SAID"))


def send_from_two_threads(parent: Parent) -> None:
    def send_often() -> None:
        for _ in range(20):
            parent.send(b"x" * 100_000)

    threads = [threading.Thread(target=send_often) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def tell_what_has_come(parent: Parent) -> None:
    parent.send(parent.receive_now())
    parent.send("now")
    while (message := parent.receive_now()) is None:
        time.sleep(0.01)
    parent.send(message)


def compute_for_ever(parent: Parent) -> None:
    parent.send(os.getpid())
    while True:
        sum(range(1000))


def break_down(parent: Parent) -> None:
    raise ValueError("a broken child")


def leave(parent: Parent) -> None:
    sys.exit(3)


def only_message(inbox: Inbox) -> object:
    return inbox.get(timeout=60)[1]


def test_messages_go_there_and_back_in_order() -> None:
    inbox = Inbox()
    with Child(answer_twice, inbox, environment={"SAID": "yes"}) as child:
        assert child.alive
        for message in ("one", [2, {"three": b"4" * 3_000_000}]):
            child.send(message)
            assert inbox.get(timeout=60) == (child, message)
            assert inbox.get(timeout=60) == (child, "yes")
        with pytest.raises(queue.Empty):
            inbox.get(timeout=0.01)
    assert not child.alive


def test_threads_of_a_child_may_send_at_the_same_time() -> None:
    inbox = Inbox()
    with Child(send_from_two_threads, inbox):
        assert [only_message(inbox) for _ in range(40)] == [b"x" * 100_000] * 40
        assert only_message(inbox) == ChildEnded(0, "")


def test_a_child_can_look_for_a_message_and_go_on() -> None:
    inbox = Inbox()
    with Child(tell_what_has_come, inbox) as child:
        assert only_message(inbox) is None
        assert only_message(inbox) == "now"
        child.send("stop")
        assert only_message(inbox) == "stop"


def test_several_children_share_an_inbox() -> None:
    inbox = Inbox()
    with Child(answer_twice, inbox) as one, Child(answer_twice, inbox) as other:
        one.send(1)
        other.send(2)
        heard = [inbox.get(timeout=60) for _ in range(4)]
        assert {(who, said) for who, said in heard if said} == {(one, 1), (other, 2)}


@on_posix
def test_a_killed_child_is_the_last_message() -> None:
    inbox = Inbox()
    with Child(compute_for_ever, inbox) as child:
        assert only_message(inbox) == child.pid
        os.kill(child.pid, signal.SIGKILL)
        ended = only_message(inbox)
        assert ended == ChildEnded(-signal.SIGKILL, "")
        assert isinstance(ended, ChildEnded)
        assert ended.killed_by == "SIGKILL"
        child.send("a message that nobody reads")
    assert inbox.empty()


@pytest.mark.parametrize(
    ("work", "ended"),
    [(break_down, ChildEnded(1, "ValueError: a broken child")), (leave, ChildEnded(3, ""))],
)
def test_a_child_that_fails_leaves_its_code_and_last_words(
    work: Callable[[Parent], None], ended: ChildEnded
) -> None:
    inbox = Inbox()
    with Child(work, inbox):
        assert only_message(inbox) == ended
    assert ended.killed_by == ""


def test_errors_can_be_shown(capfd: pytest.CaptureFixture[str]) -> None:
    inbox = Inbox()
    with Child(break_down, inbox, show_errors=True):
        assert only_message(inbox) == ChildEnded(1, "")
    assert capfd.readouterr().err.endswith("ValueError: a broken child\n")


@on_posix
def test_a_program_that_sends_no_messages_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", shutil.which("echo"))
    inbox = Inbox()
    with Child(answer_twice, inbox):
        assert only_message(inbox) == ChildEnded(0, "")


@on_posix
def test_ctrl_c_and_a_closed_terminal_are_not_for_a_child() -> None:
    inbox = Inbox()
    with Child(compute_for_ever, inbox) as child:
        only_message(inbox)
        os.kill(child.pid, signal.SIGINT)
        os.kill(child.pid, signal.SIGHUP)
        with pytest.raises(queue.Empty):
            inbox.get(timeout=0.3)
        assert child.alive


_A_PARENT = """
import sys
sys.path.extend({folders!r})
from impasto.machine.processes import Child, Inbox
from test_processes import compute_for_ever
inbox = Inbox()
child = Child(compute_for_ever, inbox)
print(inbox.get()[1], flush=True)
inbox.get()
"""


@on_posix
def test_a_child_ends_with_its_parent_in_the_middle_of_a_computation() -> None:
    code = _A_PARENT.format(folders=sys.path)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert alive(child)
        parent.kill()
    wait_until(lambda: not alive(child))


def test_the_module_imports_no_torch() -> None:
    code = "import sys, impasto.machine.processes; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)

"""The agent's parts; as a whole it runs in `test_pcscd`, inside namespaces, where coverage does not see it."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading

from eid.transport import pcscd_agent


def test_requests_are_answered_with_connected_sockets():
    ours, theirs = socket.socketpair()
    with socket.create_server(("127.0.0.1", 0)) as listener, ours:
        thread = threading.Thread(target=pcscd_agent.answer_requests, args=(theirs,))
        thread.start()
        port = listener.getsockname()[1]
        ours.sendall(port.to_bytes(2, "big"))
        answer, descriptors, _, _ = socket.recv_fds(ours, 1, 1)
        accepted, _ = listener.accept()
        with accepted, socket.socket(fileno=descriptors[0]) as connected:
            assert (answer, connected.getpeername()) == (b"+", listener.getsockname())
            accepted.sendall(b"hello")
            assert connected.recv(5) == b"hello"
        listener.close()
        ours.sendall(port.to_bytes(2, "big"))
        assert socket.recv_fds(ours, 1, 1)[:2] == (b"-", [])
    thread.join(5)
    theirs.close()
    assert not thread.is_alive()


def test_daemon_is_started_with_the_directory_and_stopped(tmp_path):
    program = tmp_path / "daemon"
    program.write_text('#!/bin/sh\necho "$@" "$PCSCLITE_HP_DROPDIR"\nexec sleep 60\n')
    program.chmod(0o700)
    daemon = pcscd_agent.start_daemon(str(program), str(tmp_path))
    while not (log := (tmp_path / "pcscd.log").read_text()):
        assert daemon.poll() is None
    assert log.split() == ["--foreground", "--error", "--config", f"{tmp_path}/reader.conf", f"{tmp_path}/drivers"]
    pcscd_agent.stop_daemon(daemon)
    assert daemon.returncode == -signal.SIGTERM


def test_daemon_that_does_not_listen_is_killed(monkeypatch):
    monkeypatch.setattr(pcscd_agent, "_STOP_TIMEOUT", 0.1)
    program = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    daemon = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    daemon.stdout.readline()
    pcscd_agent.stop_daemon(daemon)
    daemon.stdout.close()
    assert daemon.returncode == -signal.SIGKILL


def test_refused_set_up_is_reported_and_cleared(monkeypatch, tmp_path):
    def refuse():
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(pcscd_agent, "raise_loopback", refuse)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    (tmp_path / "home").mkdir()
    ours, theirs = socket.socketpair()
    with ours:
        pcscd_agent.main("/bin/false", str(tmp_path / "home"), theirs.detach())
        assert ours.recv(100) == b"-[Errno 1] Operation not permitted"
    assert not (tmp_path / "home").exists()


def test_whole_life_without_namespaces(monkeypatch, tmp_path):
    monkeypatch.setattr(pcscd_agent, "raise_loopback", lambda: None)
    monkeypatch.setattr(pcscd_agent, "mount_run", lambda _: None)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    (tmp_path / "home").mkdir()
    ours, theirs = socket.socketpair()
    arguments = ("/bin/true", str(tmp_path / "home"), theirs.detach())
    thread = threading.Thread(target=pcscd_agent.main, args=arguments)
    thread.start()
    with ours:
        assert ours.recv(1) == b"+"
    thread.join(10)
    assert not (tmp_path / "home").exists()

"""Runs inside private namespaces: a PC/SC daemon of its own, and sockets to its virtual readers.

A program, not a module to import: `eid.transport.pcscd` starts it through unshare(1), on the standard library alone. It
puts `DIRECTORY/run` in the place of /run, where the daemon's socket path is compiled in; its network namespace holds
nothing but a loopback interface, so that vpcd, which listens on all interfaces, listens to nobody. The caller's end
of the control socket asks for a connection by two octets, the port; the answer is one octet, with the connected
socket attached where it is ``+``. When that end closes, in whatever way the caller ends, the daemon is stopped and
the directory removed.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
from typing import Final

_SIOCSIFFLAGS: Final = 0x8914  # linux/sockios.h
_IFF_UP_RUNNING: Final = 0x1 | 0x40  # linux/if.h
_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h
_STOP_TIMEOUT: Final = 3.0  # seconds


def raise_loopback() -> None:
    """Bring the namespace's only interface up."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", _IFF_UP_RUNNING))


def mount_run(directory: str) -> None:
    """Put ``DIRECTORY/run`` in the place of /run, in this mount namespace only."""
    subprocess.run(["mount", "--bind", os.path.join(directory, "run"), "/run"], check=True, capture_output=True)


def start_daemon(pcscd: str, directory: str) -> subprocess.Popen[bytes]:
    """Start pcscd with the directory's reader.conf and no hot-plug driver: real readers stay the system's."""
    with open(os.path.join(directory, "pcscd.log"), "wb") as log:
        return subprocess.Popen(
            [pcscd, "--foreground", "--error", "--config", os.path.join(directory, "reader.conf")],
            env={**os.environ, "PCSCLITE_HP_DROPDIR": os.path.join(directory, "drivers")},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            preexec_fn=_die_with_parent,
        )


def stop_daemon(daemon: subprocess.Popen[bytes]) -> None:
    """Ask the daemon to end; insist after three seconds."""
    daemon.terminate()
    try:
        daemon.wait(_STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()


def answer_requests(control: socket.socket) -> None:
    """Hand out sockets connected to ports of this network namespace until the other end closes."""
    while len(request := control.recv(2)) == 2:
        try:
            connected = socket.create_connection(("127.0.0.1", int.from_bytes(request, "big")), 2.0)
        except OSError:
            control.sendall(b"-")
            continue
        with connected:
            socket.send_fds(control, [b"+"], [connected.fileno()])


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def main(pcscd: str, directory: str, control_fd: int) -> None:
    """Set up, report ``+`` or ``-`` and a reason, serve, clean up."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with socket.socket(fileno=control_fd) as control:
        try:
            try:
                raise_loopback()
                mount_run(directory)
                daemon = start_daemon(pcscd, directory)
            except (OSError, subprocess.SubprocessError) as failure:
                control.sendall(b"-" + str(failure).encode("ascii", "replace"))
                return
            try:
                control.sendall(b"+")
                answer_requests(control)
            finally:
                stop_daemon(daemon)
        finally:
            shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))

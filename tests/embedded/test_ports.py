"""Ports are found, kept from start to start, and held against others."""

from __future__ import annotations

import socket

import pytest

from embedded.errors import PortTakenError
from embedded.ports import LOOPBACK, Held, Want, hold, is_free

pytestmark = pytest.mark.unit


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _close(*held: Held) -> None:
    for one in held:
        one.socket.close()


def test_two_starts_at_once_get_different_ports_before_either_listens() -> None:
    want = Want("temporal", _free_port())
    first, second = hold(want), hold(want)
    assert first.port != second.port
    _close(first, second)


def test_a_server_can_listen_on_a_port_that_we_hold_for_it() -> None:
    held = hold(Want("temporal", _free_port()))
    with socket.create_server((LOOPBACK, held.port)), socket.create_connection((LOOPBACK, held.port), 1):
        assert not is_free(held.port)
    _close(held)


def test_the_remembered_port_comes_before_the_preferred_one() -> None:
    preferred, remembered = _free_port(), _free_port()
    held = hold(Want("api", preferred), remembered)
    assert held.port == remembered
    _close(held)


def test_a_remembered_port_that_is_taken_gives_way_to_a_free_one() -> None:
    with socket.create_server((LOOPBACK, 0)) as other:
        taken = other.getsockname()[1]
        held = hold(Want("api", taken, listens=True), remembered=taken)
        assert held.port != taken
        _close(held)


def test_a_port_that_was_asked_for_is_never_exchanged() -> None:
    with socket.create_server((LOOPBACK, 0)) as other:
        taken = other.getsockname()[1]
        with pytest.raises(PortTakenError, match=f"port {taken} is taken"):
            hold(Want("api", taken, fixed=True, listens=True))


def test_nothing_is_reachable_from_outside_this_machine() -> None:
    held = hold(Want("api", _free_port(), listens=True))
    assert held.socket.getsockname()[0] == "127.0.0.1"
    _close(held)

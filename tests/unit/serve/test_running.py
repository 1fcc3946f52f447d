"""The addresses that a server tells people to open."""

from __future__ import annotations

import re
import socket

import pytest

from centerclip.serve import ServerSettings, running


def addresses(host: str) -> tuple[str, str, int]:
    settings = ServerSettings(host=host, port=0, token="a-token-of-our-own-123")
    with running.listen(settings) as listening:
        port = listening.getsockname()[1]
        return running.address_of(settings, listening), running.other_address_of(settings, listening), port


def test_a_server_of_this_machine_has_one_address() -> None:
    here, other, port = addresses("127.0.0.1")
    assert (here, other) == (f"http://127.0.0.1:{port}", "")


@pytest.mark.parametrize(("host", "local"), [("0.0.0.0", "127.0.0.1"), ("::", "[::1]")])
def test_a_server_on_all_addresses_names_some_that_can_be_opened(host: str, local: str) -> None:
    if host == "::" and not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    here, other, port = addresses(host)
    assert here == f"http://{local}:{port}"
    if other:  # this machine has a network
        assert re.fullmatch(rf"http://(\d+(\.\d+){{3}}|\[[0-9a-f:]+\]):{port}", other)
        assert "0.0.0.0" not in other
        assert "[::]" not in other

"""The hub's port, where file descriptors are short."""

import asyncio
import gc
import json
import os
import resource
import socket
import ssl

import pytest

from hub_players import TOKEN, WAIT, RawMiner, ScriptedSource, Watched, make_job, with_hub
from miner import loop
from miner.core.source import Notice
from miner.hub.connection import Connection
from miner.hub.events import MinerLeft
from miner.hub.listener import RESERVED, room_for

Limits = tuple[int, int]


class System:
    """The limits of open files, as a system keeps them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, soft: int, hard: int) -> None:
        self.limits = (soft, hard)
        monkeypatch.setattr(loop.resource, "getrlimit", lambda which: self.limits)
        monkeypatch.setattr(loop.resource, "setrlimit", self._set)

    def _set(self, which: int, limits: Limits) -> None:
        assert limits[0] <= self.limits[1] == limits[1]
        self.limits = limits


@pytest.mark.parametrize(("soft", "hard", "room", "raised"), [
    (1024, 1 << 20, 4096, 4096 + RESERVED), (1 << 20, 1 << 20, 4096, 1 << 20), (1024, 2048, 2048 - RESERVED, 2048)])
def test_the_soft_limit_is_raised_and_the_number_of_miners_follows(
        monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, room: int, raised: int) -> None:
    system = System(monkeypatch, soft, hard)
    found, remark = room_for(4096)
    assert (found, system.limits) == (room, (raised, hard))
    assert remark == "" if found == 4096 else f"room for {room} miners instead of 4096" in remark


def test_a_lack_of_descriptors_costs_a_line_and_nobody_the_connection() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        loop = asyncio.get_running_loop()
        clients = [socket.socket() for _ in range(3)]
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        free = os.dup(0)
        os.close(free)
        for client in clients:
            client.setblocking(False)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, before[1]))
        try:
            for client in clients:
                await asyncio.wait_for(loop.sock_connect(client, watched.address), WAIT)
                await loop.sock_sendall(client, b'{"id": 1, "method": "mining.authorize", "params": ["a", "%s"]}\n'
                                        % TOKEN.encode())
            await watched.heard(Notice, lambda notice: "no connection can be taken in just now" in notice.text)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for client in clients:
            answer = await asyncio.wait_for(loop.sock_recv(client, 4096), WAIT)
            assert json.loads(answer.splitlines()[0])["result"] is True
            client.close()
        assert len([event for event in watched.told if isinstance(event, Notice)]) == 1

    with_hub(lambda: ScriptedSource(make_job()), play)


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_connection_that_has_ended_leaves_nothing_to_collect(encrypted: bool) -> None:
    """A hub's process collects garbage next to never: what refers to itself in a circle would stay for good."""
    if encrypted:
        pytest.importorskip("cryptography")
    tls = ssl.create_default_context() if encrypted else None
    if tls is not None:
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE

    def connections() -> int:
        return sum(isinstance(one, Connection) for one in gc.get_objects())

    async def play(watched: Watched, source: ScriptedSource) -> None:
        for number in range(1, 4):
            await RawMiner.join(watched.address, "a", tls)
            assert connections() > 0
            await RawMiner.close_all()
            await watched.heard(MinerLeft, count=number)
        async with asyncio.timeout(WAIT):
            while connections():
                await asyncio.sleep(0.05)

    gc.collect()
    gc.disable()
    try:
        with_hub(lambda: ScriptedSource(make_job()), play, tls=encrypted)
    finally:
        gc.enable()

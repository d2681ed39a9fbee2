"""A hub in the background, as the command line and the Spark driver use it."""

import gc
import threading
import warnings
from collections.abc import Callable
from typing import Any

import pytest

import miner
from hub_players import ScriptedSource, make_job
from miner.core.algorithm import Algorithm
from miner.core.errors import SourceError, UsageError
from miner.core.events import Totals
from miner.core.model import Job, ShareStatus
from miner.core.source import Finished, Notice
from miner.core.target import hash_value
from miner.hub import HubConfig, HubThread
from miner.hub.events import HubBlock, HubEvent, HubShare, HubStopped, MinerLeft
from miner.sandbox import SandboxSource

SCRYPT = Algorithm.parse("scrypt")
WAIT = 60.0


def heard(hub: HubThread, wanted: Callable[[Any], bool]) -> list[HubEvent]:
    """All events up to the first wanted one."""
    told: list[HubEvent] = []
    while not told or not wanted(told[-1]):
        event = hub.next_event(WAIT)
        assert event is not None, f"nothing more after {told}"
        told.append(event)
    return told


def test_two_of_our_miners_mine_the_sandbox_through_it() -> None:
    """The whole way: engines, sessions, clients, hub, chain; and home again, with a last report."""
    totals: dict[str, Totals] = {}

    def work(name: str) -> None:
        host, port = hub.address
        with miner.mine(url=f"stratum+tcp://{host}:{port}", username=name, password=hub.config.token, hub=True,
                        algorithm="scrypt", threads=1, pin=False) as mining:
            totals[name] = next(event for event in mining if isinstance(event, Totals))

    with HubThread(SandboxSource(SCRYPT)) as hub:
        threads = [threading.Thread(target=work, args=(name,)) for name in ("a", "b")]
        for thread in threads:
            thread.start()
        told = heard(hub, lambda event: isinstance(event, HubBlock))
        while {event.miner for event in told if isinstance(event, HubShare)} != {"a", "b"}:
            told += heard(hub, lambda event: isinstance(event, HubShare))
        hub.send_home(["a"], "its host is needed")
        threads[0].join(WAIT)
        assert [row.name for row in hub.rows() if row.connected] == ["b"], "who isn't meant stays"
        hub.stop_miners("enough", WAIT)
        threads[1].join(WAIT)
    told += heard(hub, lambda event: isinstance(event, HubStopped))
    shares = [event for event in told if isinstance(event, HubShare)]
    assert not [share for share in shares if share.status is ShareStatus.REJECTED]
    good = [share.share for share in shares if share.share and share.status is ShareStatus.ACCEPTED]
    assert len({share.header for share in good}) == len(good), "no work was done twice"
    for block in (event for event in told if isinstance(event, HubBlock)):
        share = block.result.share
        assert hash_value(SCRYPT.hash(share.header)) <= share.job.network_target
    rows = {row.name: row for row in hub.snapshot().miners}
    for name, total in totals.items():
        row = rows[name]
        assert (row.hashes, row.threads, row.connected, row.estimated) == (total.hashes, 1, False, False)
        assert row.kernel and row.accepted == total.accepted
    assert len(totals) == len([event for event in told if isinstance(event, MinerLeft)]) == 2
    assert hub.snapshot().hashes == sum(total.hashes for total in totals.values())


def test_events_end_with_the_hub() -> None:
    hub = HubThread(ScriptedSource(make_job(), Notice("hello"), Finished("done"), None))
    hub.start()
    kinds = [type(event) for event in hub.events()]
    assert kinds == [Job, Notice, Finished, HubStopped]
    hub.close()
    hub.stop_miners("nobody is there")
    assert hub.snapshot().miners == ()


def test_only_wanted_events_are_kept() -> None:
    hub = HubThread(ScriptedSource(make_job(), Notice("hello"), Finished("done"), None),
                    wanted=lambda event: not isinstance(event, Notice))
    hub.start()
    assert [type(event) for event in hub.events()] == [Job, Finished, HubStopped]
    hub.close()


def test_a_failed_source_raises_where_the_events_are_read() -> None:
    with HubThread(ScriptedSource(make_job(size=1))) as hub, pytest.raises(SourceError, match="extranonce2_size is 1"):
        for event in hub.events():
            assert isinstance(event, Job) or event.failed  # type: ignore[union-attr]
    assert isinstance(hub.error, SourceError)


def test_a_port_in_use_raises_at_the_start() -> None:
    with HubThread(ScriptedSource()) as hub:
        second = HubThread(ScriptedSource(), HubConfig(port=hub.address[1]))
        with pytest.raises(UsageError, match="can't listen"):
            second.start()
        second.close()


def test_closing_twice_or_unstarted_does_no_harm() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hub = HubThread(ScriptedSource())
        hub.close()
        hub.stop_miners("none")
        hub.start()
        hub.close()
        hub.close()
        assert isinstance(hub.next_event(0), HubStopped)
        assert hub.next_event(0) is None
        del hub
        gc.collect()

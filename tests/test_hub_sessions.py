"""A miner that comes back to a hub goes on where it was; several workers on one connection are several rows."""

from typing import Any

import pytest

from hub_players import SHA256D, TOKEN, RawMiner, ScriptedSource, Watched, make_job, solve, with_hub
from miner.core.model import MinerReport, ShareStatus
from miner.hub.events import HubShare, MinerJoined, MinerLeft
from miner.hub.sessions import Sessions
from miner.stratum.messages import Notify

ACCEPTED = ShareStatus.ACCEPTED
EASY = make_job(hashes=1 << 40, share_hashes=64)  # shares of the source that are no blocks


async def come(watched: Watched, session: str = "", name: str = "raw") -> tuple[RawMiner, Any]:
    raw = await RawMiner.connect(watched.address)
    subscription = (await raw.call("mining.subscribe", "raw/1", *([session] if session else [])))["result"]
    assert (await raw.call("mining.authorize", name, TOKEN))["result"] is True
    return raw, subscription


async def go(watched: Watched, raw: RawMiner, left: int) -> None:
    raw.close()
    await watched.heard(MinerLeft, count=left)


def test_who_comes_back_has_its_slice_its_difficulty_and_its_row_again() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        other, _ = await come(watched)
        raw, [details, extranonce1, size] = await come(watched)
        session = details[0][1]
        await raw.call("mining.configure", ["sparkminer"], {})
        report = {"kernel": "k", "threads": 1, "hashes": 1, "hashrate": 5e6, "host": ""}
        raw.ask("sparkminer.report", report)
        difficulty = await raw.notice("mining.set_difficulty", lambda params: params[0] > 1e-3)
        job_id = (await raw.notice("mining.notify"))[0]
        await go(watched, raw, 1)
        await go(watched, other, 2)
        await come(watched)  # takes the first name's row
        again, [details, *slice_] = await come(watched, session)
        assert (details[0][1], slice_) == (session, [extranonce1, size])
        assert await again.notice("mining.set_difficulty") == difficulty
        assert (await again.notice("mining.notify"))[0] != job_id
        assert (await watched.heard(MinerJoined, count=4)).miner.name == "raw#2"

    with_hub(lambda: ScriptedSource(make_job(hashes=1 << 40)), play)


def test_what_was_found_before_counts_after_and_no_header_is_searched_twice() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        raw, [details, extranonce1, size] = await come(watched)
        first = Notify.parse(await raw.notice("mining.notify"))
        job = first.to_job(SHA256D, bytes.fromhex(extranonce1), size, 1e-6)
        share = solve(job, most=EASY.share_target)
        await go(watched, raw, 1)
        again, _ = await come(watched, details[0][1])
        second = Notify.parse(await again.notice("mining.notify"))
        assert second.coinbase1 != first.coinbase1, "another edition"
        answer = await again.call("mining.submit", "raw", job.job_id, "00" * size, f"{job.ntime:08x}",
                                  f"{share.nonce:08x}")
        assert answer["result"] is True
        answer = await again.call("mining.submit", "raw", job.job_id, "00" * size, f"{job.ntime:08x}",
                                  f"{share.nonce:08x}")
        assert answer["error"][0] == 22

    with_hub(lambda: ScriptedSource(EASY), play, start_difficulty=1e-9)


def test_a_connection_that_hangs_gives_way_to_its_miners_next_one() -> None:
    """A router that was restarted tells nobody: the miner comes back while its old connection seems to be there."""
    async def play(watched: Watched, source: ScriptedSource) -> None:
        raw, [details, extranonce1, size] = await come(watched)
        session = details[0][1]
        job = Notify.parse(await raw.notice("mining.notify")).to_job(SHA256D, bytes.fromhex(extranonce1), size, 1e-6)
        share = solve(job, most=EASY.share_target)
        other, _ = await come(watched, session, "mallory")
        assert (await watched.heard(MinerJoined, count=2)).miner.name == "mallory"
        again, [details, other_extranonce1, _] = await come(watched, session)
        assert await raw.hung_up()
        assert (await watched.heard(MinerLeft)).reason == "the miner came back on another connection"
        assert (await watched.heard(MinerJoined, count=3)).miner.name == "raw"
        assert other_extranonce1 != extranonce1 and details[0][1] != session
        answer = await again.call("mining.submit", "raw", job.job_id, "00" * size, f"{job.ntime:08x}",
                                  f"{share.nonce:08x}")
        assert answer["result"] is True, "found before, handed in after"
        third, _ = await come(watched, details[0][1])
        assert await again.hung_up()
        assert (await watched.heard(MinerJoined, count=4)).miner.accepted == 1
        assert await third.call("mining.ping") is not None

    with_hub(lambda: ScriptedSource(EASY), play, start_difficulty=1e-9)


def test_nobody_gets_what_another_left() -> None:
    """A session's id may be overheard. Without the token it does not cost its miner more than the slice."""
    async def play(watched: Watched, source: ScriptedSource) -> None:
        raw, [details, extranonce1, _] = await come(watched)
        session = details[0][1]
        await go(watched, raw, 1)
        thief = await RawMiner.connect(watched.address)
        assert (await thief.call("mining.subscribe", "thief", session))["result"][1] == extranonce1
        assert (await thief.call("mining.authorize", "raw", "guess"))["error"][0] == 24
        assert await thief.hung_up()
        mallory, _ = await come(watched, session, "mallory")
        assert (await watched.heard(MinerJoined, count=2)).miner.name == "mallory"
        again, subscription = await come(watched, session)
        assert subscription[1] != extranonce1, "mallory has the slice"
        assert (await watched.heard(MinerJoined, count=3)).miner.name == "raw"
        share = await again.call("mining.submit", "raw", "none", "00", f"{1_700_000_000:08x}", "00000000")
        assert share["error"][0] == 21

    with_hub(lambda: ScriptedSource(make_job()), play)


def test_our_own_miner_comes_back_by_itself() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        player = watched.player(retries=-1)
        job = await player.job()
        await player.source.report(MinerReport("k", 1, 10, 1e3))
        for connection in list(watched.hub._connections):
            connection._transport.abort()  # type: ignore[union-attr]
        again = await player.job()
        assert (again.extranonce1, again.extranonce2_size) == (job.extranonce1, job.extranonce2_size)
        assert (await player.source.submit(solve(job))).status is ACCEPTED, "found before, handed in after"

    with_hub(lambda: ScriptedSource(make_job()), play)


def test_several_workers_on_a_connection_are_several_rows() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        raw, [_, extranonce1, size] = await come(watched, name="farm.1")
        notify = Notify.parse(await raw.notice("mining.notify"))
        assert (await raw.call("mining.authorize", "farm.2", TOKEN))["result"] is True
        assert (await raw.call("mining.authorize", "farm.2", TOKEN))["result"] is True
        job = notify.to_job(SHA256D, bytes.fromhex(extranonce1), size, 1e-6)
        for count, name in ((2, "farm.2"), (1, "farm.1")):
            for number in range(count):
                extranonce2 = number + 10 * count
                share = solve(job, extranonce2, most=EASY.share_target)
                answer = await raw.call("mining.submit", name, job.job_id, f"{extranonce2:0{2 * size}x}",
                                        f"{job.ntime:08x}", f"{share.nonce:08x}")
                assert answer["result"] is True
        await watched.heard(HubShare, count=3)
        assert {row.name: row.accepted for row in watched.hub.rows()} == {"farm.1": 1, "farm.2": 2}
        assert watched.hub.summary().connected == 2
        raw.close()
        await watched.heard(MinerLeft, count=2)
        assert watched.hub.summary().connected == 0

    with_hub(lambda: ScriptedSource(EASY), play, start_difficulty=1e-9)


@pytest.mark.parametrize(("name", "worker"), [("alice.rig1", "rig1"), ("rig1", "rig1"), ("a.b.c d/e", "b-c-d-e"),
                                              ("a." + "x" * 90, "x" * 32)])
def test_workers_are_passed_on(name: str, worker: str) -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        player = watched.player(name)
        assert (await player.source.submit(solve(await player.job()))).status is ACCEPTED
        assert source.submitted[0].worker == worker

    with_hub(lambda: ScriptedSource(make_job()), play, pass_workers=True)


def test_sessions_end_with_their_time_and_are_bounded() -> None:
    now = 0.0
    sessions: Sessions[int] = Sessions(60.0, 2, lambda: now)
    for number in range(3):
        sessions.keep(str(number), number)
    assert [sessions.find(str(number)) for number in range(3)] == [None, 1, 2]
    sessions.drop("1")
    now = 61.0
    assert sessions.find("2") is None
    sessions.keep("3", 3)
    sessions.tick()
    assert (len(sessions), sessions.find("3")) == (1, 3)

"""Version rolling (BIP 310) at a hub: the bits that the source leaves to it, it leaves to its miners."""

import dataclasses
from typing import Any

import pytest

from hub_players import SHA256D, RawMiner, ScriptedSource, Watched, make_job, solve, with_hub
from miner.core.model import Job, ShareStatus
from miner.stratum.messages import Notify

MASK = 0x1FFFE000
WANTED = {"version-rolling.mask": "1fffe000", "version-rolling.min-bit-count": 2}


def rolling(job_id: str = "a", tip: int = 1, mask: int = MASK) -> Job:
    return dataclasses.replace(make_job(job_id, tip), version=0x20006000, version_mask=mask)


async def configured(raw: RawMiner, wanted: dict[str, object]) -> Any:
    return (await raw.call("mining.configure", ["version-rolling"], wanted))["result"]


def test_a_miner_chooses_bits_under_the_sources_mask_and_they_go_up() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        player = watched.player()
        job = await player.job()
        assert (job.version, job.version_mask) == (0x20006000, MASK)
        share = solve(job, version=0x20004000)
        assert (await player.source.submit(share)).status is ShareStatus.ACCEPTED
        work = source.submitted[0].work
        assert (work.version, work.job.version_mask) == (0x20004000, MASK)

    with_hub(lambda: ScriptedSource(rolling()), play)


def test_bits_outside_the_mask_are_refused() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        raw = await RawMiner.connect(watched.address)
        assert await configured(raw, WANTED) == {"version-rolling": True, "version-rolling.mask": "0000e000"}
        extranonce1, size = (await raw.call("mining.subscribe"))["result"][1:]
        await raw.call("mining.authorize", "raw", "token-of-the-tests")
        notify = Notify.parse(await raw.notice("mining.notify"))
        easy = notify.to_job(SHA256D, bytes.fromhex(extranonce1), size, 1e-9, 0xE000)

        async def submit(bits: int, nonce: int) -> Any:
            return await raw.call("mining.submit", "raw", easy.job_id, "00" * size, f"{easy.ntime:08x}",
                                  f"{nonce:08x}", f"{bits:08x}")

        assert (await submit(0x10000, 0))["error"][1] == "version bits outside the mask"
        bits = 0x4000
        share = solve(easy, version=easy.version & ~0xE000 | bits, most=easy.network_target)
        assert (await submit(bits, share.nonce))["result"] is True
        assert source.submitted[0].work.version == easy.version & ~0xE000 | bits

    with_hub(lambda: ScriptedSource(rolling(mask=0xE000)), play)


@pytest.mark.parametrize(("mask", "wanted"), [
    (0, WANTED), (0x2000, WANTED), (MASK, {"version-rolling.mask": "00000003"})],
    ids=["none", "too few", "others"])
def test_where_there_are_no_bits_for_a_miner_it_is_told_so(mask: int, wanted: dict[str, object]) -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        player = watched.player()
        await player.job()  # the source's first job has come
        assert await configured(await RawMiner.connect(watched.address), wanted) == {"version-rolling": False}

    with_hub(lambda: ScriptedSource(rolling(mask=mask)), play)


def test_a_source_with_other_bits_is_told_before_its_first_job() -> None:
    async def play(watched: Watched, source: ScriptedSource) -> None:
        raw = await RawMiner.connect(watched.address)
        assert (await configured(raw, WANTED))["version-rolling.mask"] == "1fffe000"
        subscribing = raw.ask("mining.subscribe")
        raw.ask("mining.authorize", "raw", "token-of-the-tests")
        source.push(rolling(mask=0))
        await raw.hear(lambda message: message["id"] == subscribing)
        assert await raw.notice("mining.set_version_mask") == ["00000000"]
        await raw.notice("mining.notify")
        source.push(rolling("b", 2, mask=0xE000))
        assert await raw.notice("mining.set_version_mask") == ["0000e000"]

    with_hub(ScriptedSource, play)

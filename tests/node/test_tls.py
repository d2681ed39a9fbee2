"""A node behind https: verified against the authority that --cert names, and refused without one."""

import asyncio
import ssl
from contextlib import aclosing
from pathlib import Path

import pytest
import trustme

import recordings
from miner.config import SourceConfig
from miner.core.errors import SourceError
from miner.core.model import ShareStatus
from miner.node.client import NodeSource
from node.faulty import ScriptedNode, ok
from node.mining import WAIT, next_job, solve

PAYEE = "mxtT9y4YD5yJocLi7zrop7FW63WubeAHjG"


def server_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.mark.parametrize("trusted", [True, False])
def test_certificate_is_verified(tmp_path: Path, trusted: bool) -> None:
    authority, other = trustme.CA(), trustme.CA()
    cert = tmp_path / "authority.pem"
    (authority if trusted else other).cert_pem.write_to_path(str(cert))

    async def main() -> None:
        template = recordings.template("dogecoin/getblocktemplate-h1797-with-tx.json")
        answers = {"validateaddress": ok({"isvalid": True, "scriptPubKey": "51"}), "getblocktemplate": ok(template),
                   "submitblock": ok(None)}
        async with asyncio.timeout(WAIT), ScriptedNode(answers, server_context(authority)) as node:
            config = SourceConfig(url=node.url, coinbase_addr=PAYEE, cert=str(cert), password="secret")
            async with NodeSource(config) as source, aclosing(source.events()) as events:  # type: ignore[type-var]
                if trusted:
                    assert (await source.submit(solve(await next_job(events)))).status is ShareStatus.ACCEPTED
                    return
                with pytest.raises(SourceError, match="its certificate can't be trusted"):
                    await next_job(events)
                assert not node.calls, "the password went out"

    asyncio.run(main())

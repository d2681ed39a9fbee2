"""The HTTP API of a run, its metrics, and who may read them."""

import gzip
import json
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import hypothesis
import jsonschema
import pytest
import trustme
from prometheus_client.parser import text_string_to_metric_families

import miner.status
from commands import run_here
from miner.status import door, feed, rows
from miner.status.access import MAX_SESSIONS, SESSION_SECONDS, Gate, Hosts
from miner.tls import TlsFiles
from status_page import BLOCK, LIMIT, TOKEN, Site, a_hub, lose_source, served

OPENAPI = json.loads((Path(miner.status.__file__).parent / "openapi.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def hub() -> Iterator[Site]:
    """A hub with three miners, for everybody on this machine."""
    with served(a_hub()[0]) as site:
        yield site


@pytest.fixture(scope="module")
def guarded() -> Iterator[Site]:
    with served(a_hub()[0], token=TOKEN) as site:
        yield site


def metrics(site: Site) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    families = text_string_to_metric_families(site.ask("/metrics").body.decode())
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in families:
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


# What is answered


def test_every_answer_is_what_the_description_says(guarded: Site) -> None:
    """Requests of every kind that the description allows, with the token, without it and with another one."""
    import schemathesis  # here, since it loads for half a second in each process that collects the tests

    schema = schemathesis.openapi.from_dict(OPENAPI)
    schema.config.update(base_url=f"http://127.0.0.1:{guarded.port}")
    tried = set()
    for path, methods in OPENAPI["paths"].items():
        if path == "/api/v1/stream":  # without an end
            continue
        operation = schema[path]["GET"]

        @hypothesis.settings(max_examples=3, database=None, derandomize=True, deadline=None)
        @hypothesis.given(case=operation.as_strategy())
        def conforms(case: Any) -> None:
            case.call_and_validate(timeout=LIMIT, headers={"Authorization": f"Bearer {TOKEN}"})

        conforms()
        tried.add((path, *methods))
    assert len(tried) == len(OPENAPI["paths"]) - 1


def test_the_description_is_served(hub: Site) -> None:
    assert hub.ask("/api/v1/openapi.json").json == OPENAPI


def test_an_event_is_what_the_schema_of_events_says(hub: Site) -> None:
    schema = json.loads((Path(miner.status.__file__).parents[1] / "front/events.schema.json").read_text("utf-8"))
    events = hub.ask("/api/v1/events").json["events"]
    assert [event["number"] for event in events] == sorted(event["number"] for event in events)
    assert {"job", "miner_joined", "hub_share", "hub_block"} <= {event["type"] for event in events}
    validator = jsonschema.Draft202012Validator(schema)
    for event in events:
        validator.validate({name: value for name, value in event.items() if name != "number"})
    last = events[-1]["number"]
    assert hub.ask(f"/api/v1/events?after={last - 1}").json["events"] == events[-1:]


def test_figures_agree() -> None:
    facts, _ = a_hub()
    with served(facts) as site:
        summary, miners, history = (site.ask(f"/api/v1/{name}").json for name in ("summary", "miners", "history"))
        measured = metrics(site)
    now = facts.snapshot()
    here = [row for row in miners["miners"] if row["connected"]]
    assert now.hashes == summary["hashes"] == sum(row["hashes"] for row in miners["miners"]) == measured[
        "sparkminer_hashes_total"][()]
    assert now.hashrate == summary["hashrate_hashes_per_second"] == measured[
        "sparkminer_hashrate_hashes_per_second"][()] == sum(row["hashrate_hashes_per_second"] for row in here)
    for status in ("accepted", "rejected", "stale"):
        assert getattr(now, status) == summary[status] == sum(row[status] for row in miners["miners"]) == measured[
            "sparkminer_shares_total"][(("status", status),)] == 1
    assert now.blocks == summary["blocks"] == measured["sparkminer_blocks_total"][()] == len(history["blocks"]) == 1
    assert history["blocks"][0]["block_hash"] == BLOCK
    assert (now.miners, now.gone) == (summary["miners"], summary["miners_gone"]) == (2, 1) == (
        len(here), len(miners["miners"]) - len(here))
    assert [measured["sparkminer_miners"][(("state", state),)] for state in ("here", "gone")] == [2, 1]
    assert measured["sparkminer_share_verdict_seconds_count"][()] == sum(summary["verdicts"]["counts"]) == 3
    assert measured["sparkminer_share_verdict_seconds_bucket"][(("le", "0.025"),)] == 3


def test_rows_come_in_parts(hub: Site) -> None:
    every = hub.ask("/api/v1/miners").json
    part = hub.ask("/api/v1/miners?offset=1&limit=1").json
    assert part["miners"] == every["miners"][1:2] and part["total"] == every["total"] == 3
    assert hub.ask("/api/v1/miners?offset=99").json["miners"] == []
    refused = hub.ask("/api/v1/miners?limit=0")
    assert refused.status == 400 and refused.json == {"error": "limit must be a whole number from 1 on"}


def test_what_is_large_is_compressed_for_who_takes_that() -> None:
    with served(a_hub(500)[0]) as site:
        plain, packed = site.ask("/api/v1/miners"), site.ask("/api/v1/miners", Accept_Encoding="gzip")
    assert packed.headers["content-encoding"] == "gzip" and len(packed.body) * 5 < len(plain.body)
    assert json.loads(gzip.decompress(packed.body))["miners"] == plain.json["miners"]


def test_metrics_name_so_many_miners_and_no_more() -> None:
    with served(a_hub(rows.SERIES + 50)[0]) as site:
        series = metrics(site)["sparkminer_miner_hashrate_hashes_per_second"]
    assert len(series) == rows.SERIES


def test_health_is_whether_there_is_work() -> None:
    facts, _ = a_hub()
    with served(facts) as site:
        assert (site.ask("/healthz").status, site.ask("/healthz").json) == (200, {"status": "ok"})
        lose_source(facts)
        assert (site.ask("/healthz").status, site.ask("/healthz").json) == (
            503, {"status": "no contact with the source"})


def test_what_is_new_is_pushed() -> None:
    facts, roster = a_hub()
    with served(facts) as site, site.connect(b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n") as stream:
        lines = stream.makefile("rb")
        _until(lines, b"event: summary")
        assert json.loads(lines.readline().partition(b":")[2])["accepted"] == roster.accepted
        _until(lines, b"event: miners")  # a push has been made: what comes from now on is new
        facts.message("news")
        _until(lines, b"event: messages")
        assert b"news" in lines.readline()


def _until(lines: Any, wanted: bytes) -> None:
    for line in lines:
        if line.startswith(wanted):
            return
    raise AssertionError(f"the stream ended without {wanted!r}")


# Who may read


def test_hosts_of_others_are_refused(hub: Site) -> None:
    """A page of somebody else's could have its own name resolve to this machine."""
    for host in ("evil.example", "localhost.evil.example", "", "127.0.0.1.evil.example:80", "[::1", "a@b:c"):
        assert hub.ask("/api/v1/summary", Host=host).status in (400, 421), host
    for host in ("localhost", "127.0.0.1:1", "[::1]:8080", "192.0.2.7", socket.gethostname()):
        assert hub.ask("/api/v1/summary", Host=host).status == 200, host
    assert Hosts("miner.example").allows("Miner.Example:8080")


def test_every_answer_has_its_headers(hub: Site) -> None:
    for path in ("/", "/api/v1/summary", "/metrics", "/nowhere", "/static/page.js"):
        headers = hub.ask(path, Origin="https://evil.example").headers
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; ")
        assert headers["x-content-type-options"] == "nosniff" and headers["cache-control"] == "no-store"
        assert not [name for name in headers if name.startswith("access-control-")]
        assert "aiohttp" not in headers["server"]


def test_nothing_can_be_changed(hub: Site) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        answer = hub.ask("/api/v1/summary", method, b"{}")
        assert answer.status == 405 and answer.headers["allow"] == "GET,HEAD"
    assert hub.ask("/static/../openapi.json").status == hub.ask("/static/%2e%2e/server.py").status == 404


def test_without_the_token_nothing_is_told(guarded: Site) -> None:
    for path in ("/api/v1/summary", "/api/v1/miners", "/api/v1/history", "/api/v1/events", "/api/v1/stream",
                 "/metrics", "/static/page.js", "/api/v1/openapi.json", "/nowhere"):
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"},
                        {"Cookie": f"sparkminer_status={TOKEN}"}, {"Authorization": "Bearer "}):
            assert guarded.ask(path, **headers).status == 401, (path, headers)
        assert guarded.ask(f"{path}?token={quote(TOKEN)}").status == 401, "a URL is written down in too many places"
    assert guarded.ask("/").headers["location"] == "/login"
    assert guarded.ask("/healthz").status == 200


def test_the_token_opens(guarded: Site) -> None:
    assert guarded.ask("/api/v1/summary", Authorization=f"Bearer {TOKEN}").status == 200
    assert guarded.ask("/metrics", Authorization=f"bearer {TOKEN}").status == 200


def test_a_browser_logs_in_and_out(guarded: Site) -> None:
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    wrong = guarded.ask("/login", "POST", b"token=wrong", **form)
    assert wrong.status == 403 and b"That is not the token." in wrong.body and "set-cookie" not in wrong.headers
    right = b"token=" + TOKEN.replace(" ", "+").encode()
    assert guarded.ask("/login", "POST", right, Origin="https://evil.example", **form).status == 403
    opened = guarded.ask("/login", "POST", right, **form)
    assert (opened.status, opened.headers["location"]) == (303, "/")
    cookie, *flags = opened.headers["set-cookie"].split("; ")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(flags) and TOKEN not in cookie
    assert guarded.ask("/", Cookie=cookie).status == 200
    assert guarded.ask("/logout", "POST", Cookie=cookie).status == 303
    assert guarded.ask("/api/v1/summary", Cookie=cookie).status == 401
    assert guarded.ask("/login", "POST", b"token=" + b"x" * 100_000, **form).status == 413


def test_sessions_end_and_are_bounded() -> None:
    now = 0.0
    gate = Gate(TOKEN, lambda: now)
    first = gate.open_session()
    assert gate.lets_in("", first)
    others = [gate.open_session() for _ in range(MAX_SESSIONS)]
    assert not gate.lets_in("", first) and gate.lets_in("", others[-1])
    now = SESSION_SECONDS + 1
    assert not gate.lets_in("", others[-1])


def test_by_https(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "both.pem")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with (served(a_hub()[0], tls=TlsFiles(str(tmp_path / "both.pem")), token=TOKEN) as site,
          site.connect() as plain, context.wrap_socket(plain, server_hostname="127.0.0.1") as secret):
        form = b"token=" + TOKEN.replace(" ", "%20").encode()
        secret.sendall(b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\nContent-Type: "
                       b"application/x-www-form-urlencoded\r\nConnection: close\r\n\r\n%s" % (len(form), form))
        answer = b"".join(iter(lambda: secret.recv(4096), b""))
        assert b" 303 " in answer.splitlines()[0] and b"; Secure" in answer
        with site.connect(b"GET / HTTP/1.1\r\n\r\n") as stranger:  # speaks no TLS
            assert b"HTTP" not in stranger.recv(100)


# Who reads slowly, or too much


def test_who_asks_slowly_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "IDLE_SECONDS", 0.3)
    with served(a_hub()[0]) as site:
        connections = [site.connect(data) for data in (b"", b"GET / HTTP/1.1\r\nHost: ", b"\r\n\r\n")]
        for connection in connections:
            with connection:
                deadline = time.monotonic() + LIMIT
                try:
                    while connection.recv(4096):
                        connection.sendall(b"x")  # a byte now and then buys no time
                        assert time.monotonic() < deadline
                except ConnectionError:
                    pass
        assert site.ask("/healthz").status == 200


def test_connections_beyond_the_bound_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "MOST", 4)
    monkeypatch.setattr(door, "IDLE_SECONDS", 0.5)
    with served(a_hub()[0]) as site:
        idle = [site.connect() for _ in range(12)]
        assert site.ask("/healthz").status == 200, "its turn comes when those before it are sent off"
        for connection in idle:
            connection.close()


def test_viewers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("miner.status.routes.MAX_VIEWERS", 2)
    ask = b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with served(a_hub()[0]) as site, site.connect(ask) as one, site.connect(ask) as two:
        assert b"200 OK" in one.recv(100) and b"200 OK" in two.recv(100)
        assert site.ask("/api/v1/stream").status == 503


def test_who_misses_pushes_loads_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """A viewer that reads nothing for long holds up nobody, takes no more memory, and is told what it missed."""
    import asyncio

    monkeypatch.setattr(feed, "TICK_SECONDS", 0.01)

    async def watch() -> bytes:
        feeding = feed.Feed(a_hub()[0])
        ticking = asyncio.create_task(feeding.tick())
        watching = feeding.watch()
        await anext(watching)
        while feeding.pushes < 2 * feed.FRAMES_KEPT:
            await asyncio.sleep(0.01)
        late = await anext(watching)
        await watching.aclose()
        ticking.cancel()
        assert feeding.viewers == 0
        return late

    assert asyncio.run(watch()).startswith(b"event: reload\n")


def test_a_pace_is_kept_and_made_up_for() -> None:
    now = 0.0
    pace = door.Pace(10, 2, lambda: now)
    assert [pace.take() for _ in range(4)] == pytest.approx([0, 0, 0.1, 0.2])
    now = 10.0
    assert pace.take() == 0


# What is typed


@pytest.mark.parametrize(("options", "words"), [
    (["--status", "0.0.0.0:0"], "other machines reach that address, so --status-token-file FILE must be given"),
    (["--status", "nothing"], "must be [HOST:]PORT"),
    (["--status", "0", "--status-token-file", "short"], "must have 16 characters at least"),
    (["--status-tls-cert", "short"], "are for --status PORT"),
    (["--status", "0", "--status-tls-key", "short"], "--status-tls-cert FILE is missing"),
    (["--status", "0", "--status-tls-cert", "short"], "they hold no certificate and key in PEM form"),
    (["--status", "192.0.2.1:80", "--status-token-file", "long"], "can't listen on 192.0.2.1 port 80"),
    (["--benchmark", "--status", "0"], "a benchmark has no such page"),
])
def test_what_wont_do_is_said(options: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in (("short", "secret"), ("long", TOKEN)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    done = run_here("--sandbox", "-a", "sha256d", "-t", "1", *options)
    assert done.status == 2 and words in done.err[-1] and TOKEN not in "".join(done.err)

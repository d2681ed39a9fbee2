"""The pool's URL: who we are there goes to the login, and never into a label or an error."""

import pytest

from miner.config import SourceConfig
from miner.core.errors import UsageError
from miner.stratum.address import PoolAddress


def test_host_port_and_the_configured_login() -> None:
    address = PoolAddress.of(SourceConfig(url="stratum+tcp://Pool.Example:3333/", username="alice", password="pw"))
    assert (address.host, address.port, address.username, address.password) == ("pool.example", 3333, "alice", "pw")
    assert str(address) == "stratum+tcp://pool.example:3333"


def test_login_in_the_url_stays_out_of_sight() -> None:
    address = PoolAddress.of(SourceConfig(url="stratum+tcp://alice:s3cret%40x@[::1]:3333"))
    assert (address.username, address.password) == ("alice", "s3cret@x")
    assert str(address) == "stratum+tcp://[::1]:3333"
    assert "s3cret" not in repr(address)


def test_the_configured_login_wins() -> None:
    address = PoolAddress.of(SourceConfig(url="stratum+tcp://a:b@h:1", username="alice", password="pw"))
    assert (address.username, address.password) == ("alice", "pw")


@pytest.mark.parametrize("url", [
    "stratum+tcp://host", "stratum+tcp://host:0", "stratum+tcp://u:s3cret@host:99999", "stratum+tcp://u:s3cret@:1",
    "stratum+tcp://u:s3cret@host:x", "stratum+tcp://u:s3cret@[::1:1", "http://u:s3cret@host:1", "s3cret",
    "stratum+tcp://u:s3cret@host..name:1", f"stratum+tcp://u:s3cret@{'h' * 64}:1",
    "stratum+tcp://u:s3cret@host:1/path", "stratum+tcp://u:s3cret@host:1?x=1",
])
def test_urls_that_will_not_do_are_not_repeated(url: str) -> None:
    with pytest.raises(UsageError, match="URL") as caught:
        PoolAddress.of(SourceConfig(url=url, username="alice"))
    assert "s3cret" not in str(caught.value)


def test_there_is_no_default_user() -> None:
    assert PoolAddress.of(SourceConfig(url="stratum+tcp://h:1", anonymous=True)).username == ""
    with pytest.raises(UsageError, match="no user given for the pool host"):
        PoolAddress.of(SourceConfig(url="stratum+tcp://host:1"))


@pytest.mark.parametrize("login", [{"username": "a\nb"}, {"username": "x" * 513},
                                   {"username": "a", "password": "s3cret\x00"}])
def test_logins_that_no_pool_takes(login: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="printable") as caught:
        PoolAddress.of(SourceConfig(url="stratum+tcp://host:1", **login))
    assert "s3cret" not in str(caught.value)


def of(url: str, **login: str) -> PoolAddress:
    return PoolAddress.of(SourceConfig(url=url, **{"username": "alice", **login}))  # type: ignore[arg-type]


def test_a_short_password_is_only_masked_where_it_stands_alone() -> None:
    assert of("stratum+tcp://h:1", password="x").masked("extra x, xx") == "extra ***, xx"
    assert of("stratum+tcp://h:1", password="").masked("extra x") == "extra x"


def test_a_password_is_masked_in_json_too() -> None:
    assert of("stratum+tcp://h:1", password='pä"ss').masked(r'["p\u00e4\"ss", "pä"ss"]') == '["***", "***"]'

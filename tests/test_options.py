"""The options as minerd's users write them, and what is refused with which words."""

import argparse
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from miner.config import AuxConfig, EngineConfig, SourceConfig
from miner.core.errors import UsageError
from miner.front.argparser import Parser
from miner.front.naming import in_options
from miner.front.options import add_engine_options, add_run_options, add_source_options
from miner.front.settings import engine_config, notices, source_config

POOL = ("-o", "stratum+tcp://pool.example:3333", "-u", "alice")
NODE = ("-o", "http://node:1/", "--coinbase-addr", "x")
SECRET = "hunter2-is-secret"


def bare() -> Parser:
    parser = Parser(prog="miner")
    add_source_options(parser)
    add_engine_options(parser)
    add_run_options(parser)
    return parser


def parse(*args: str) -> argparse.Namespace:
    return bare().parse_args(list(args))


def source(*args: str, environ: dict[str, str] | None = None, ask: str = "") -> SourceConfig:
    return source_config(parse(*args), environ or {}, lambda prompt: ask)


def engine(*args: str, environ: dict[str, str] | None = None) -> EngineConfig:
    return engine_config(parse(*args), environ or {})


def refusal(*args: str, environ: dict[str, str] | None = None) -> str:
    """The one line that these arguments are refused with."""
    with pytest.raises(UsageError) as caught:
        source(*args, environ=environ)
        engine(*args)
    line = str(caught.value)
    assert line
    assert "\n" not in line
    return in_options(line)


def test_minerds_defaults() -> None:
    config = source(*POOL)
    assert (str(config.algorithm), config.retries, config.retry_pause, config.scan_time) == ("scrypt", -1, 30, 5)
    assert (config.longpoll, config.redirect, config.sandbox, config.password) == (True, True, False, "")
    assert engine(*POOL) == EngineConfig(threads=0, kernel="", pin=True, nice=19)


@pytest.mark.parametrize(("long", "short"), [
    (["--algo=sha256d"], ["-a", "sha256d"]), (["--url=http://n:1/"], ["-o", "http://n:1/"]),
    (["--userpass=a:b"], ["-Oa:b"]), (["--user=a"], ["-u", "a"]), (["--pass=b"], ["-p", "b"]),
    (["--threads", "3"], ["-t3"]), (["--retries=4"], ["-r", "4"]), (["--retry-pause=5"], ["-R", "5"]),
    (["--timeout=6"], ["-T", "6"]), (["--scantime=7"], ["-s", "7"]), (["--quiet"], ["-q"]), (["--debug"], ["-D"]),
    (["--username=a"], ["-u", "a"]), (["--password=b"], ["-p", "b"]),
])
def test_long_and_short_names_mean_the_same(long: list[str], short: list[str]) -> None:
    assert parse(*long) == parse(*short)


@pytest.mark.parametrize(("short", "full"), [
    (["--userp", "a:b"], ["--userpass=a:b"]), (["--userp=a:b"], ["--userpass=a:b"]), (["--thr", "3"], ["-t3"]),
    (["--pas=-x"], ["--pass=-x"]), (["--pas", "--thr"], ["--pass=--thr"]), (["--q", "--de"], ["-q", "-D"]),
    (["--ur", "http://n:1/"], ["-o", "http://n:1/"]), (["--a", "sha256d"], ["-a", "sha256d"]),
    (["--prot", "--prox=p:1"], ["-P", "-x", "p:1"]), (["--no-l"], ["--no-longpoll"]), (["--user=a"], ["-u", "a"]),
])
def test_minerds_options_have_getopts_abbreviations(short: list[str], full: list[str]) -> None:
    assert parse(*short) == parse(*full)


def test_every_option_reaches_the_configuration() -> None:
    config = source("-a", "scrypt:2048", "-o", "https://node:8332/wallet/w", "-O", "rpc:pw", "-r", "2", "-R", "3",
                    "-T", "4", "-s", "6", "--coinbase-addr", "ltc1q", "--coinbase-sig", "hello", "--no-longpoll",
                    "--no-redirect", "--no-getwork", "--no-stratum", "--cert", "ca.pem", "--tls-fingerprint", "ab" * 32,
                    "-x", "socks5://p:1", "-P", "--user-agent", "cpuminer/2.5.1",
                    "--allow-redirect", "Pool.Example")
    assert config.algorithm.parameters == (2048,)
    assert config == SourceConfig(
        algorithm=config.algorithm, url="https://node:8332/wallet/w", username="rpc", password="pw",
        coinbase_addr="ltc1q", coinbase_sig="hello", retries=2, retry_pause=3, timeout=4, scan_time=6, longpoll=False,
        redirect=False, stratum=False, getwork=False, cert="ca.pem", tls_fingerprint="ab" * 32, proxy="socks5://p:1",
        protocol_dump=True, user_agent="cpuminer/2.5.1", redirect_to=("pool.example",))
    assert engine("-t", "5", "--kernel", "portable", "--no-pin", "--nice", "7") == \
        EngineConfig(threads=5, kernel="portable", pin=False, nice=7)
    assert engine("--nice", "0").nice is None
    assert engine("--cpu-limit", "50%").cpu_limit == engine("--cpu-limit", "50").cpu_limit == 0.5
    assert [engine("--memory-limit", size).memory_limit for size in ("800M", "1.5 GiB", "64kb", "4096")] == [
        800 << 20, 3 << 29, 64 << 10, 4096]
    assert engine().memory_limit == 0


def test_credentials_in_the_url_are_taken_out_of_it_as_they_are() -> None:
    config = source("-o", "stratum+tcp://al%40ice:p:w@rd@pool.example:3333")
    assert (config.url, config.username, config.password) == ("stratum+tcp://pool.example:3333", "al%40ice", "p:w@rd")


@pytest.mark.parametrize(("args", "expected"), [
    (["-O", "a:b", "-u", "c"], ("c", "b")), (["-u", "c", "-O", "a:b"], ("a", "b")),
    (["-O", "a:b:c"], ("a", "b:c")), (["-O", "a:"], ("a", "")),
    (["-p", "x", "-p", "y"], ("alice", "y")), (["-O", "a:b", "-O", "c:d"], ("c", "d")),
    (["-o", "stratum+tcp://x@h:1", "-p", "z"], ("x", "z")),
])
def test_the_later_credentials_win(args: list[str], expected: tuple[str, str]) -> None:
    config = source(*(POOL if "-o" not in args else ()), *args)
    assert (config.username, config.password) == expected


AUX = (*NODE, "--aux-addr", "D", "--aux")
FILE = ("--password-file", "/nonexistent")


@pytest.mark.parametrize(("args", "words"), [
    ([*POOL, "-O", "a:b", "-p", "c"], "-O/--userpass and -p/--pass/--password both give the password"),
    (["-p", "c", "-O", "a:b", *POOL], "-p/--pass/--password and -O/--userpass both"),
    (["-p", "c", *POOL, "-O", "a:b"], "-p/--pass/--password and -O/--userpass both"),
    (["-o", "stratum+tcp://x:y@h:1", "-p", "z"], "-o/--url and -p/--pass/--password both"),
    ([*POOL, "-p", "x", *FILE], "--password-file and -p/--pass/--password both"),
    ([*POOL, "-p", "x", "--ask-password"], "--ask-password and -p/--pass/--password both"),
    ([*FILE, *POOL, "--ask-password"], "--password-file and --ask-password both"),
    ([*POOL, "-p", "x", *POOL, "-p", "y", *FILE], "--password-file and -p/--pass/--password both"),
    ([*AUX, "http://d:x@h:1/", "--aux-userpass", "d:y"], "--aux and --aux-userpass both"),
    ([*AUX, "http://h:1/", "--aux-userpass", "d:y", "--aux-password-file", "f"], "--aux-password-file and --aux-userp"),
    (["-O", "a:b", *AUX, "http://d:x@h:1/", "--aux-password-file", "f"], "--aux-password-file and --aux both"),
])
def test_two_options_for_one_password_are_refused(args: list[str], words: str) -> None:
    assert words in refusal(*args, environ={"MINER_PASSWORD": "env"})


def test_an_options_password_counts_before_the_environments(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("file")
    environ = {"MINER_PASSWORD": "env", "MINER_AUX_PASSWORD": "env"}
    assert source(*POOL, "--password-file", str(file), environ=environ).password == "file"
    assert source(*POOL, "-p", "x", environ=environ).password == "x"
    aux = source(*AUX, "http://h:1/", "--aux-userpass", "d:y", "-O", "a:b", environ=environ).aux
    assert aux is not None and aux.password == "y"


def test_of_a_config_files_password_and_the_command_lines_the_later_one_counts(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("file")
    text, file = (str(tmp_path / name) for name in ("text.json", "file.json"))
    Path(text).write_text(json.dumps({"url": POOL[1], "userpass": "al:x"}))
    Path(file).write_text(json.dumps({"url": POOL[1], "user": "al", "password-file": str(secret)}))
    for args, password in ((["-c", text, "-p", "y"], "y"), (["-c", text, "--password-file", str(secret)], "file"),
                           (["-c", text, "--ask-password"], "typed"), (["-p", "y", "-c", text], "x"),
                           (["-c", file, "-p", "y"], "y"), (["-c", file, "--ask-password"], "typed"),
                           (["--ask-password", "-c", text], "x"), (["-p", "y", "-c", file], "file"),
                           (["-c", text, "-c", file], "file"), (["-c", file, "-c", text], "x")):
        assert source(*args, ask="typed").password == password, args


def test_an_option_that_is_given_but_empty_is_refused(tmp_path: Path) -> None:
    """Such as `--coinbase-addr=$ADDRESS` where that variable is not set."""
    config = tmp_path / "config.json"
    names = [name for action in bare().actions() if action.nargs is None for name in action.option_strings]
    assert len(names) > 40
    for name in names:
        if name in ("-u", "--user", "--username", "-p", "--pass", "--password"):
            parse(name, "")
            continue
        for args in ([name, ""], [f"{name}= " if name.startswith("--") else f"{name} "]):
            line = refusal(*args)
            assert name in line
            assert "it is given, but empty" in line
        if name.startswith("--") and name != "--config":
            config.write_text(json.dumps({name[2:]: ""}))
            line = refusal("-c", str(config))
            assert f"{config}: " in line
            assert "it is given, but empty" in line


def test_a_variable_of_the_environment_that_is_set_but_empty_is_refused() -> None:
    assert "MINER_PASSWORD is set, but empty" in refusal(*POOL, environ={"MINER_PASSWORD": ""})
    assert "MINER_AUX_PASSWORD is" in refusal(*AUX, "http://d@h:1/", "-O", "a:b", environ={"MINER_AUX_PASSWORD": " "})
    with pytest.raises(UsageError, match="MINER_KERNEL is set, but empty"):
        engine(environ={"MINER_KERNEL": ""})
    assert source(*POOL, "-p", "", environ={"MINER_PASSWORD": ""}).password == ""


def test_a_url_without_scheme_is_http_as_minerd_has_it() -> None:
    assert source("-o", "127.0.0.1:9332", "--coinbase-addr", "x").url == "http://127.0.0.1:9332"
    assert source("-o", "127.0.0.1:9332/x?y=1", "--coinbase-addr", "x").url == "http://127.0.0.1:9332/x?y=1"


def test_ipv6_hosts() -> None:
    assert source("-o", "stratum+tcp://[::1]:3333", "-u", "a").url == "stratum+tcp://[::1]:3333"


def logins(*args: str, environ: dict[str, str] | None = None, ask: str = "") -> list[tuple[str, str, str]]:
    """Host, user and password of each source, in order."""
    first = source(*args, environ=environ, ask=ask)
    return [(config.url.partition("//")[2], config.username, config.password) for config in (first, *first.backups)]


A, B = ("-o", "stratum+tcp://a:1"), ("-o", "stratum+tcps://b:2")


@pytest.mark.parametrize(("args", "expected"), [
    ([*A, "-u", "al", "-p", "x", *B, "-u", "bo", "-p", "y"], [("a:1", "al", "x"), ("b:2", "bo", "y")]),
    ([*A, "-O", "al:x", *B, "-O", "bo:y"], [("a:1", "al", "x"), ("b:2", "bo", "y")]),
    (["-u", "al", "-p", "x", *A, *B], [("a:1", "al", "x"), ("b:2", "al", "x")]),
    (["-u", "al", "-p", "x", *A, *B, "-u", "bo"], [("a:1", "al", "x"), ("b:2", "bo", "x")]),
    (["-o", "stratum+tcp://al:x@a:1", "-o", "stratum+tcp://bo:y@b:2"], [("a:1", "al", "x"), ("b:2", "bo", "y")]),
    (["-u", "al", *A, "-p", "x", *B, "--worker-id", "w"], [("a:1", "al.w", "x"), ("b:2", "al.w", "env")]),
    ([*A, "-u", "al", *B, "-u", "bo", "-o", "http://c:3/", "-u", "cy", "-p", "z", "--coinbase-addr", "x"],
     [("a:1", "al", "env"), ("b:2", "bo", "env"), ("c:3/", "cy", "z")]),
])
def test_several_urls_are_backups_with_logins_of_their_own_or_shared(args: list[str], expected: object) -> None:
    assert logins(*args, environ={"MINER_PASSWORD": "env"}) == expected


def test_a_password_is_never_taken_to_another_pool() -> None:
    assert logins(*A, "-O", f"al:{SECRET}", *B, "-u", "bo")[1] == ("b:2", "bo", "")
    assert "no user given for the pool stratum+tcps://b:2" in refusal(*A, "-O", f"al:{SECRET}", *B)
    assert "no user given for the pool stratum+tcp://a:1" in refusal(*A, *B, "-O", "bo:y")
    assert logins(*A, "-u", "al", "-p", "x", *B, "-u", "bo", "--ask-password", ask="typed")[1] == ("b:2", "bo", "typed")


def test_values_may_start_with_a_dash_or_be_empty() -> None:
    assert source(*POOL, "-p", "-x").password == "-x"
    assert source(*POOL, "--pass", "--algo").password == "--algo"
    assert source(*POOL, "-p", "").password == ""
    assert source(*POOL, "-p", "--").password == "--"
    assert source(*POOL, "-p", "", environ={"MINER_PASSWORD": "env"}).password == ""


def test_a_chain_to_mine_along() -> None:
    aux = source(*NODE, "-O", "a:b", "--aux", f"http://doge:{SECRET}@10.0.0.1:22555", "--aux-addr", "D").aux
    assert aux == AuxConfig("http://10.0.0.1:22555", "D", "doge", SECRET)
    assert SECRET not in repr(aux)
    assert source(*NODE).aux is None


def test_aux_chain_of_the_command_line_takes_the_place_of_the_config_files(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text('{"aux": "http://10.0.0.1:22555/", "aux-addr": "D"}')
    for args in (["-c", str(file), "--aux", "http://10.0.0.2:1/"], ["--aux", "http://10.0.0.1:9/", "-c", str(file)]):
        aux = source(*NODE, *args).aux
        assert aux is not None and aux.url == ("http://10.0.0.2:1/" if args[0] == "-c" else "http://10.0.0.1:22555/")


def test_credentials_of_the_chain_that_is_mined_along(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(f"{SECRET}\n")
    args = [*NODE, "-O", "a:b", "--aux", "http://10.0.0.1:22555/", "--aux-addr", "D"]
    for more, environ in ((["--aux-userpass", f"doge:{SECRET}"], {}), (["--aux-password-file", str(file)], {}),
                          ([], {"MINER_AUX_PASSWORD": SECRET})):
        config = source(*args, *more, environ=environ)
        assert config.aux is not None and (config.username, config.password) == ("a", "b")
        assert config.aux.password == SECRET
    assert "chmod 600" in notices(parse(*args, "--aux-password-file", str(file)))[0]


def test_a_pool_without_users_has_to_be_meant() -> None:
    for args in (["-u", ""], ["-O", ":"], ["-u", "", "-p", "x"]):
        assert source("-o", "stratum+tcp://pool:1", *args).anonymous
    assert not source(*POOL).anonymous
    assert "(-u '' if it wants none)" in refusal("-o", "stratum+tcp://pool:1")


def test_getwork_pays_whom_the_server_pays() -> None:
    config = source("-o", "http://node:1/", "--no-gbt")
    assert (config.gbt, config.getwork, config.coinbase_addr) == (False, True, "")
    assert source(*NODE, "--no-getwork").getwork is False
    unpaid = "-o", "http://node:1/", "-O", "a:b"
    assert (source(*unpaid).gbt, source(*unpaid).getwork) == (False, True), "minerd too goes over to getwork then"
    assert notices(parse(*unpaid)) == [
        "no --coinbase-addr: only getwork can be asked for, and its server decides who is paid "
        "(if it is a pool: --url stratum+tcp://HOST:PORT)"]
    assert notices(parse(*NODE)) == notices(parse(*unpaid, "--no-gbt")) == notices(parse(*POOL)) == []
    with pytest.raises(UsageError, match="nobody to pay"):
        source_config(parse(*unpaid), {}, for_hub=True)


def test_worker_id_is_added_to_the_user() -> None:
    assert source(*POOL, "--worker-id", "w1").username == "alice.w1"


def test_passwords_that_no_process_list_shows(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(f"{SECRET}\nmore\n")
    file.chmod(0o600)
    assert source(*POOL, "--password-file", str(file)).password == SECRET
    assert source(*POOL, environ={"MINER_PASSWORD": SECRET}).password == SECRET
    assert source(*POOL, "--ask-password", ask=SECRET).password == SECRET
    assert notices(parse(*POOL, "--password-file", str(file))) == []
    file.chmod(0o644)
    assert "chmod 600" in notices(parse(*POOL, "--password-file", str(file)))[0]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_password_file_that_the_group_may_read(tmp_path: Path) -> None:
    """A Kubernetes secret is root's, and its reader has it by the group; a file of one's own is another matter."""
    file = tmp_path / "password"
    file.write_text("secret")
    file.chmod(0o440)
    assert "chmod 600" in notices(parse(*POOL, "--password-file", str(file)))[0]
    os.chown(file, 12345, -1)
    assert not notices(parse(*POOL, "--password-file", str(file)))
    file.chmod(0o444)
    assert "chmod 600" in notices(parse(*POOL, "--password-file", str(file)))[0]



def test_the_password_is_in_no_repr() -> None:
    assert SECRET not in repr(source(*POOL, "-p", SECRET))


@pytest.mark.parametrize(("args", "words"), [
    ([], "no pool or node given: use --url"),
    (["-o", "stratum+tcp://pool:1"], "no user given"),
    (["-o", "http://node:1/", "--no-getwork"], "nobody to pay for blocks on this node: use --coinbase-addr ADDRESS"),
    (["-o", "http://node:1/", "--aux", "http://h:1/", "--aux-addr", "x"], "use --coinbase-addr ADDRESS"),
    ([*NODE, "--aux", "http://doge:1/"], "--aux-addr ADDRESS"),
    ([*NODE, "--aux-addr", "x"], "belong to --aux URL"),
    ([*NODE, "--aux", "stratum+tcp://h:1"], "'stratum+tcp' is not known: use http://, https://"),
    ([*NODE, "--aux", "http://a:b@/"], "--aux: there is no host"),
    ([*NODE, "--aux", "http://h:1/", "--aux", "http://h:2/", "--aux-addr", "x"], "one chain can be mined along"),
    ([*NODE, "--aux-userpass", "alice"], "--aux-userpass must be USERNAME:PASSWORD"),
    ([*POOL, "--aux", "http://h:1/", "--aux-addr", "x"], "--aux needs a node"),
    ([*NODE, "--no-gbt", "--aux", "http://h:1/", "--aux-addr", "x"], "--aux needs a node"),
    ([*NODE, "--no-gbt", "--no-getwork"], "leave no way to get work"),
    (["-o", "node:1", "--no-getwork"], "if it is a pool, --url stratum+tcp://HOST:PORT"),
    (["--sandbox", *POOL], "--sandbox"),
    ([*POOL, "-a", "x11"], "unknown algorithm 'x11'"),
    ([*POOL, "-a", "scrypt:1000"], "power of two"),
    (["-o", "ftp://h"], "'ftp' is not known: use stratum+tcp://"),
    (["-o", "stratum+tcp://:x@pool:1"], "no user name stands before the @"),
    (["-o", "http://@node:1/", "--no-gbt"], "no user name stands before the @"),
    (["-o", "stratum+tcp://pool", "-u", "a"], "needs a port"),
    (["-o", "stratum+tcp://pool:99999", "-u", "a"], "bad host or port"),
    (["-o", "stratum+tcp://pool:0", "-u", "a"], "no port"),
    (["-o", "http:///x"], "no host"),
    (["-o", "http://h:1/\n"], "ASCII"),
    (["-o", "http://h" + "x" * 3000], "2048"),
    ([*POOL, "-O", "alice"], "USERNAME:PASSWORD"),
    ([*POOL, "-t", "0"], "-t/--threads: 0 is not from 1 to 4096: leave it out for one thread on each CPU"),
    ([*POOL, "-t", "two"], "-t/--threads: 'two' is no whole number"),
    ([*POOL, "-t", "-1"], "-t/--threads"),
    ([*POOL, "-t"], "expected one argument"),
    ([*POOL, "-r", "-2"], "-r/--retries"),
    ([*POOL, "-R", "0"], "-R/--retry-pause"),
    ([*POOL, "-s", "1e3"], "-s/--scantime"),
    ([*POOL, "--seconds", "nan"], "--seconds"),
    ([*POOL, "--seconds", "-1"], "--seconds"),
    ([*POOL, "--nice", "20"], "--nice"),
    ([*POOL, "--cpu-limit", "0%"], "--cpu-limit"),
    ([*POOL, "--cpu-limit", "101%"], "--cpu-limit"),
    ([*POOL, "--cpu-limit", "half"], "--cpu-limit"),
    ([*POOL, "--memory-limit", "2T"], "--memory-limit: '2T' is no size such as 800M or 1.5G"),
    ([*POOL, "--memory-limit", "0"], "--memory-limit"),
    ([*POOL, "--memory-limit", "9" * 30 + "G"], "--memory-limit"),
    ([*POOL, "--blocks", "-1"], "--blocks"),
    ([*POOL, "--coinbase-sig", "x" * 81], "80 bytes"),
    ([*POOL, "--worker-id", "a b"], "--worker-id"),
    (["--worker-id", "w", "-o", "http://n:1/", "--coinbase-addr", "x"], "--user"),
    ([*POOL, "--cert", "ca.pem"], "--cert and --tls-fingerprint are for TLS"),
    ([*POOL, "--user-agent", "a\nb"], "--user-agent: must be up to 128"),
    ([*POOL, "--suggest-difficulty", "0"], "--suggest-difficulty: '0' is no number above 0"),
    ([*POOL, "--difficulty-scale", "inf"], "--difficulty-scale"),
    (["--sandbox", *POOL, *POOL], "--sandbox"),
    ([*POOL, "--allow-redirect", "*"], "--allow-redirect: must be a domain"),
    ([*POOL, "--thread-count", "2"], "unknown option '--thread-count'"), ([*POOL, "--no-pi"], "'--no-pi'"),
    ([*POOL, "--pro", "x"], "'--pro' is ambiguous: it may be --protocol-dump or --proxy"),
    ([*POOL, "--us=x"], "it may be --user or --userpass"), ([*POOL, "--ben"], "unknown option '--ben'"),
    ([*POOL, "-P", "more"], "unexpected argument behind -P, see --help"),
    ([*POOL, "-qP", "more"], "unexpected argument (number 6), see --help"), (["more"], "unexpected argument 'more'"),
    ([*POOL, "--debug=1"], "-D/--debug: it takes no value"), ([*POOL, "-zx"], "unknown option '-z'"),
    ([*POOL, "--password-file", "/nonexistent/file"], "can't read '/nonexistent/file': No such file"),
])
def test_what_is_wrong_is_said_in_one_line(args: list[str], words: str) -> None:
    assert words in refusal(*args)


@pytest.mark.parametrize("args", [
    [*POOL, "-P", SECRET], [*POOL, f"-P1{SECRET}"], [*POOL, f"--pass{SECRET}"], [*POOL, f"-Z{SECRET}"],
    [*POOL, "-p", "my", SECRET], [*POOL, f"--debug={SECRET}"], [*POOL, f"-q=1{SECRET}"],
    [*POOL, f"--p={SECRET}"], [*POOL, "--u", SECRET],
    [*POOL, f"--passwd={SECRET}"], [*POOL, "--passwd", SECRET], [*POOL, "-O", SECRET], ["-o", f"ftp://a:{SECRET}@h:1"],
    ["-o", f"stratum+tcp://a:{SECRET}@h"], ["-o", f"stratum+tcp://a:x/{SECRET}@h:1"],
    ["-o", f"a:{SECRET}@h", "--no-getwork"], ["-o", f"a:{SECRET}://h"], ["-o", f"http://a:{SECRET}@h:x/"],
    [*POOL, "-p", SECRET, "-t", "x"],
    ["-o", f"stratum+tcp://a:/{SECRET}@h:1", "-u", "a"],
])
def test_no_error_shows_a_password(args: list[str]) -> None:
    assert SECRET not in refusal(*args)


def test_asking_without_a_terminal_is_a_usage_error() -> None:
    def no_terminal(prompt: str) -> str:
        raise EOFError

    with pytest.raises(UsageError, match="no terminal"):
        source_config(parse(*POOL, "--ask-password"), {}, no_terminal)


def test_kernel_from_the_environment_unless_named() -> None:
    assert engine(environ={"MINER_KERNEL": "avx2"}).kernel == "avx2"
    assert engine("--kernel", "sse2", environ={"MINER_KERNEL": "avx2"}).kernel == "sse2"


class TestConfigFile:
    def write(self, path: Path, content: object) -> str:
        file = path / "miner.json"
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        file.chmod(0o600)
        return str(file)

    def test_strings_numbers_and_booleans(self, tmp_path: Path) -> None:
        file = self.write(tmp_path, {"url": "stratum+tcp://h:1", "userpass": "a:b", "threads": 2, "retries": "3",
                                     "no-longpoll": True, "quiet": False, "algo": "sha256d"})
        assert source("-c", file) == SourceConfig(
            algorithm=source(*POOL, "-a", "sha256d").algorithm, url="stratum+tcp://h:1", username="a", password="b",
            retries=3, retry_pause=30, timeout=270, scan_time=5, longpoll=False)
        assert engine("-c", file).threads == 2
        assert parse("-c", file).quiet is False

    def test_minerds_own_example(self, tmp_path: Path) -> None:
        file = self.write(tmp_path, {"_comment1": "Any long-format command line argument", "_comment2": "may be used",
                                     "url": "http://127.0.0.1:9332", "user": "rpcuser", "pass": "rpcpass",
                                     "algo": "scrypt", "threads": "4", "quiet": True})
        config = source("-c", file, "--no-gbt")
        assert (config.url, config.username, config.password) == ("http://127.0.0.1:9332", "rpcuser", "rpcpass")
        assert (engine("-c", file).threads, parse("-c", file).quiet) == (4, True)
        assert notices(parse("-c", file, "--no-gbt")) == []

    def test_what_is_no_option_is_told_at_once_and_passed_over(self, tmp_path: Path) -> None:
        file = self.write(tmp_path, {"bogus": SECRET, "threads": 2, "config": "x", "help": True, "pasword": [SECRET],
                                     "_pass": SECRET, "token": SECRET, "a\nb": 1,
                                     "pools": [{"url": POOL[1], "user": "al", "weight": 1, "_note": 2},
                                               {"url": POOL[1], "user": "bo", "weight": 2}]})
        assert engine("-c", file).threads == 2
        assert [user for _, user, _ in logins("-c", file)] == ["al", "bo"]
        assert notices(parse("-c", file))[0] == (
            f"{file}: passed over what is no option here: 'bogus', 'config', 'help', 'pasword', 'token', 'a b', "
            "'weight'")
        assert len(notices(parse("-c", self.write(tmp_path, {str(n): n for n in range(100)})))[0]) < 1000

    def test_a_byte_order_mark(self, tmp_path: Path) -> None:
        for content in ('{"threads": 2}', '{"_": "ä", "threads": 2}'):
            file = self.write(tmp_path, "\ufeff" + content)
            assert engine("-c", file).threads == 2
        password = tmp_path / "password"
        password.write_bytes(b"\xef\xbb\xbfhush\r\n")
        assert source(*POOL, "--password-file", str(password)).password == "hush"

    def test_another_encoding_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "config.json").write_bytes('{"threads": 2}'.encode("utf-16"))
        assert "not UTF-8 text" in refusal("-c", str(tmp_path / "config.json"))

    def test_it_counts_where_it_stands(self, tmp_path: Path) -> None:
        file = self.write(tmp_path, {"threads": 2, "no-longpoll": False})
        assert engine("-c", file, "-t", "3").threads == 3
        assert engine("-t", "3", "-c", file).threads == 2
        assert source(*POOL, "--no-longpoll", "-c", file).longpoll is True

    def test_a_url_on_the_command_line_takes_the_place_of_the_files(self, tmp_path: Path) -> None:
        file = self.write(tmp_path, {"url": "stratum+tcp://file:1", "user": "al", "pass": "x"})
        assert logins("-c", file) == [("file:1", "al", "x")]
        assert logins("-c", file, *A) == [("a:1", "al", "x")]
        assert logins(*A, "-c", file) == [("file:1", "al", "x")]
        assert logins("-c", file, *A, *B, "-u", "bo")[0] == ("a:1", "al", "x")

    def test_pools_are_a_list(self, tmp_path: Path) -> None:
        file = self.write(tmp_path, {"pools": [{"user": "al", "pass": "x", "url": "stratum+tcp://a:1"},
                                               {"url": "stratum+tcp://b:2"}], "user": "bo"})
        assert logins("-c", file) == [("a:1", "al", "x"), ("b:2", "bo", "")]

    def test_values_that_begin_with_a_dash(self, tmp_path: Path) -> None:
        assert source(*POOL, "-c", self.write(tmp_path, {"pass": "-x", "retries": -1})).password == "-x"

    def test_a_password_that_others_can_read_is_pointed_out(self, tmp_path: Path) -> None:
        file = self.write(tmp_path, {"pass": SECRET})
        assert notices(parse("-c", file)) == []
        Path(file).chmod(0o644)
        assert "chmod 600" in notices(parse("-c", file))[0]
        for content in ({"pools": [{"url": "http://h:1/", "pass": SECRET}]}, {"proxy": f"socks5://u:{SECRET}@h:1"},
                        {"url": f"http://u:{SECRET}@h:1/"}):
            Path(self.write(tmp_path, content)).chmod(0o644)
            assert "chmod 600" in notices(parse("-c", file))[-1]
        Path(self.write(tmp_path, {"threads": 1})).chmod(0o644)
        assert notices(parse("-c", file)) == []

    @pytest.mark.parametrize(("content", "words"), [
        ('{"threads":', "not JSON at line 1"), ("[1]", "JSON object"),
        ({"threads": True}, "'threads' must be a string or a number"),
        ({"quiet": "yes"}, "'quiet' must be true or false"),
        ({"threads": None}, "'threads'"), ({"threads": [1]}, "'threads'"),
        ({"threads": 0}, "-t/--threads: 0 is not from 1 to 4096: leave it out"),
        ({"pools": [{"user": "x"}]}, '"pools" must be a list'),
        ({"pools": "x"}, '"pools"'), ({"pools": [{"url": "ftp://h"}]}, "'ftp' is not known"),
        ("[" * 100000, "not JSON"), ("\x00", "not JSON"),
        ({"pass": {"x": SECRET}}, "'pass'"),
    ])
    def test_what_is_wrong_names_the_file(self, tmp_path: Path, content: object, words: str) -> None:
        file = self.write(tmp_path, content)
        line = refusal("-c", file)
        assert words in line
        assert file in line
        assert SECRET not in line

    def test_a_file_that_is_not_there(self) -> None:
        assert "No such file" in refusal("-c", "/nonexistent/file")


@pytest.mark.parametrize(("text", "shown"), [
    ("use `coinbase_addr=ADDRESS`, or `sandbox=True`", "use --coinbase-addr ADDRESS, or --sandbox"),
    ("without `gbt=False`, see `username`", "without --no-gbt, see --user"),
    ("`aux` http://h:1: `aux.coinbase_addr` x", "--aux http://h:1: --aux-addr x"),
    ("`url=stratum+tcp://h:1/?a=b`; `threads=2`", "--url stratum+tcp://h:1/?a=b; --threads 2"),
    ("a pool's `words`, `given`, `coinbase_addr", "a pool's `words`, `given`, `coinbase_addr"),
])
def test_a_setting_in_a_message_is_shown_as_its_option(text: str, shown: str) -> None:
    assert in_options(text) == shown


@given(st.lists(st.one_of(st.text(max_size=30), st.sampled_from(
    ["-o", "-O", "-u", "-p", "-a", "-t", "-r", "--url", "--pass", "-q", "--", "-c", "http://", "stratum+tcp://a@b:1"]))))
def test_any_command_line_is_taken_or_refused(args: list[str]) -> None:
    """Nothing but UsageError comes out, and -h."""
    try:
        source(*args)
        engine(*args)
    except (UsageError, SystemExit):
        pass

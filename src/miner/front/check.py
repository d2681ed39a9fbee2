"""`--check`: says what a command would do, and who would be paid. Nothing is connected to, and nothing is hashed for
anybody."""

import dataclasses
from collections.abc import Iterator
from urllib.parse import urlsplit

from miner.config import NODE_SCHEMES, POOL_SCHEMES, EngineConfig, SourceConfig
from miner.core.algorithm import Algorithm
from miner.core.text import one_line
from miner.front.report import counted
from miner.front.settings import FaceSettings
from miner.sources.open import open_source

NOTHING_DONE = "Checked only: nothing was connected to, nobody was logged in"


def source_lines(config: SourceConfig) -> Iterator[str]:
    """Where work would come from, who would be paid, and how each connection is made. Raises UsageError for settings
    that won't do."""
    for number, one in enumerate((dataclasses.replace(config, backups=()), *config.backups)):
        source = open_source(one)
        when = "While all before give no work: from" if number else "Work from"
        yield f"{when} {one_line(source.label)}, paid to {one_line(source.payee)}"
        if one.url:
            yield f"  {_login(one)}; {_secrecy(one)}"
    if config.proxy:
        from miner.net import ProxyAddress

        yield f"Every connection goes through {ProxyAddress.parse(config.proxy)}"


def engine_line(algorithm: Algorithm, config: EngineConfig) -> str:
    """What this machine would hash with. Raises UsageError for a kernel that it doesn't have, and EngineError where
    memory doesn't suffice."""
    from miner.engine.cpus import usable_threads
    from miner.engine.kernels import first_that_fits, usable_kernels

    threads = config.threads or usable_threads()
    kernels = usable_kernels(algorithm, config.kernel)
    first_that_fits(algorithm, kernels, threads, config.memory_limit)
    choice = "kernel" if len(kernels) == 1 else "the fastest in a short trial of the kernels"
    return f"Hashing {algorithm} on {threads} of this machine's CPUs with {choice} {', '.join(kernels)}"


def run_lines(seconds: float, blocks: int, faces: FaceSettings) -> Iterator[str]:
    """How long the run would last, and who else would see it."""
    ends = [f"{seconds:g} seconds have passed"] if seconds else []
    ends += [f"the chain has taken {counted(blocks, 'block')}"] if blocks else []
    yield f"Until {' or '.join(ends)}" if ends else "Until it is stopped"
    if faces.events:
        yield f"Events go to {'standard output' if faces.events == '-' else one_line(faces.events)}"
    if status := faces.status:
        who = "whoever shows the token" if status.token else "everybody on this machine"
        how = "by HTTPS" if status.tls else "not encrypted"
        yield f"Shown to {who} on {one_line(status.host)} port {status.port or '(any)'}, {how}"


def _login(config: SourceConfig) -> str:
    """How one logs in there; no password is shown."""
    if config.cookie_file:
        return f"logging in with the cookie in {one_line(config.cookie_file)}"
    password = "with a password" if config.password else "without a password"
    who = f"logging in as {one_line(config.username)}" if config.username else "without a user name"
    return f"{who}, {password}"


def _secrecy(config: SourceConfig) -> str:
    """Who can read along, and whom TLS trusts."""
    if not (POOL_SCHEMES | NODE_SCHEMES)[urlsplit(config.url).scheme]:
        return "not encrypted: who is on the way can read and change all of it"
    if config.tls_fingerprint:
        return f"TLS, trusting the certificate with SHA-256 {one_line(config.tls_fingerprint)}"
    return f"TLS, trusting {one_line(config.cert) if config.cert else 'the authorities that this system trusts'}"

"""The settings of a run, checked: what the command line, Spark and library callers all fill in."""

import math
from dataclasses import dataclass, field

from miner.core.algorithm import Algorithm
from miner.core.errors import UsageError

POOL_SCHEMES = {"stratum+tcp": False, "stratum+tcps": True, "stratum+ssl": True}  # -> whether TLS is in it
NODE_SCHEMES = {"http": False, "https": True}


@dataclass(frozen=True, slots=True)
class AuxConfig:
    """The node of a chain that is mined along with a node's own (AuxPoW).

    url             http(s)://host:port/ of a node that knows createauxblock
    coinbase_addr   who is paid for blocks of that chain
    username        RPC user
    password        never shown: repr leaves it out
    cookie_file     in place of both: the file that the node writes them into, or its data directory
    """

    url: str
    coinbase_addr: str
    username: str = ""
    password: str = field(default="", repr=False)
    cookie_file: str = ""

    def __post_init__(self) -> None:
        if self.cookie_file and (self.username or self.password):
            raise UsageError("`aux.cookie_file` takes the place of user and password: leave one of them out")


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """Where work comes from. There is no default pool, user or address: without `url`, only `sandbox` will do.

    url             stratum+tcp://host:port (pool or hub), stratum+tcps:// or stratum+ssl:// (stratum over TLS),
                    http(s)://host:port/ (node)
    username        pool user, or RPC user
    password        never shown: repr leaves it out
    cookie_file     in place of both, at a node: the file that it writes them into (.cookie), or its data directory
    anonymous       log in at the pool without a user name
    hub             the pool is our own hub: ask it for the extension that tells when its job ends
    coinbase_addr   who is paid for blocks mined on a node
    coinbase_sig    text for the coinbase script
    aux             a chain to mine along with the node's
    gbt, getwork    what to ask a node for: block templates, else getwork
    redirect        follow a pool that sends us to another port of its host (client.reconnect)
    stratum         follow a server that gives getwork to where it speaks stratum, on its host (X-Stratum)
    redirect_to     domains in which either may send us to another host as well
    cert            a file with the certificate authority that TLS trusts; "": those of this system
    tls_fingerprint SHA-256 in hex of the one certificate that TLS trusts, whoever signed it
    proxy           [SCHEME://][USER:PASSWORD@]HOST[:PORT] to connect through; socks4, socks4a, socks5, socks5h, http
    user_agent      what we call ourselves at a pool; "": by our own name
    suggest_difficulty  what to ask a pool for, in the algorithm's own scale; 0: nothing
    difficulty_scale    what a pool's difficulties are multiplied with; 65536 for a scrypt pool in Bitcoin's scale
    protocol_dump   tell every message to and from the other end, as notices; credentials are masked
    longpoll        long-poll servers that offer it; a node is asked for its newest block each second, with or without
    scan_time       seconds between two looks for new work at a node or server where nothing tells of new blocks
    backups         where to go, in this order, while `url` gives no work
    retries         how often to try again after a lost connection before giving up, and to hand in a share at a node
                    again where something else than an answer came; -1: for ever
    retry_pause     seconds before the first of these tries; later ones wait longer
    timeout         seconds without any answer after which a peer counts as gone
    """

    algorithm: Algorithm = field(default_factory=lambda: Algorithm.parse("scrypt"))
    url: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    cookie_file: str = ""
    anonymous: bool = False
    hub: bool = False
    coinbase_addr: str = ""
    coinbase_sig: str = ""
    aux: AuxConfig | None = None
    gbt: bool = True
    getwork: bool = True
    sandbox: bool = False
    longpoll: bool = True
    redirect: bool = True
    stratum: bool = True
    redirect_to: tuple[str, ...] = ()
    scan_time: float = 5.0
    cert: str = ""
    tls_fingerprint: str = ""
    proxy: str = field(default="", repr=False)
    user_agent: str = ""
    suggest_difficulty: float = 0.0
    difficulty_scale: float = 1.0
    protocol_dump: bool = False
    backups: tuple["SourceConfig", ...] = ()
    retries: int = -1
    retry_pause: float = 30.0
    timeout: float = 270.0

    def __post_init__(self) -> None:
        if self.sandbox and self.url:
            raise UsageError("`sandbox` mines an embedded test chain and takes no `url`: leave one of them out")
        if not self.sandbox and not self.url:
            raise UsageError("no pool or node given: use `url=stratum+tcp://HOST:PORT`, `url=http://HOST:PORT/`, "
                             "or `sandbox=True`")
        if self.retry_pause < 0 or self.timeout <= 0 or self.scan_time <= 0:
            raise UsageError("`retry_pause`, `timeout` and `scan_time` must be positive numbers of seconds")
        if not (math.isfinite(self.suggest_difficulty) and self.suggest_difficulty >= 0):
            raise UsageError("`suggest_difficulty` must be a positive number")
        if not 1e-12 <= self.difficulty_scale <= 1e12:
            raise UsageError("`difficulty_scale` must be from 1e-12 to 1e12")
        if self.backups and self.sandbox:
            raise UsageError("`sandbox` never fails, so it takes no pools or nodes for a backup")
        node = self.url.partition(":")[0].lower() in NODE_SCHEMES
        if self.cookie_file and not node:
            raise UsageError("`cookie_file` is for a node: `url=http://HOST:PORT/`")
        if self.cookie_file and (self.username or self.password):
            raise UsageError("`cookie_file` takes the place of user and password: leave one of them out")
        if self.aux and not (node and self.gbt):
            raise UsageError("`aux` needs a node that gives block templates: `url=http://HOST:PORT/`, without "
                             "`gbt=False`")
        if node and not (self.gbt or self.getwork):
            raise UsageError("`gbt=False` and `getwork=False` together leave no way to get work from a node")
        if any(backup.algorithm != self.algorithm or backup.sandbox or backup.backups for backup in self.backups):
            raise UsageError("backups are pools or nodes for the same algorithm, without backups of their own")

    def may_be_sent_to(self, host: str) -> bool:
        """Whether the other end may send us to this host (in lower case)."""
        return any(host == domain or host.endswith(f".{domain}") for domain in self.redirect_to)


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """How to hash.

    threads  0: one for each CPU that this process may use
    kernel   "": the fastest that passes its self-test
    pin      bind each thread to a CPU of its own
    nice     None: leave the priority as it is
    cpu_limit  the part of its CPU's time that each thread takes at most: above 0, 1 for all of it
    memory_limit  bytes that the scratchpads of all threads take at most, of which kernels with fewer lanes need
              less; 0: as much as the system has left
    keep_seconds  for how long a closed engine leaves its memory and kernel to the next one of this process that has
              these settings: for who mines again and again
    """

    threads: int = 0
    kernel: str = ""
    pin: bool = True
    nice: int | None = 19
    cpu_limit: float = 1.0
    memory_limit: int = 0
    keep_seconds: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.threads <= 4096:
            raise UsageError(f"`threads` {self.threads}: must be from 1 to 4096, or 0 for one a CPU")
        if self.nice is not None and not -20 <= self.nice <= 19:
            raise UsageError(f"`nice` {self.nice}: must be from -20 to 19")
        if not 0 < self.cpu_limit <= 1:
            raise UsageError(f"`cpu_limit` {self.cpu_limit}: must be above 0, and 1 at most")
        if self.memory_limit < 0:
            raise UsageError(f"`memory_limit` {self.memory_limit}: must be a number of bytes, or 0 for no limit")
        if not 0 <= self.keep_seconds <= 3600:
            raise UsageError(f"keep_seconds {self.keep_seconds}: must be from 0 to 3600")

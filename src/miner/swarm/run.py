"""The swarm at work: opens its connections, has each miner hand in shares in its turn, and ends when it is time."""

import asyncio
import random
import socket
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any, Protocol

from miner.core.errors import UsageError
from miner.core.text import one_line
from miner.engine.kernels import first_that_fits, usable_kernels
from miner.loop import files_for
from miner.net import Route, words_of
from miner.stratum.address import PoolAddress
from miner.stratum.from_miner import Authorize
from miner.swarm.book import Book, Point
from miner.swarm.member import Member
from miner.swarm.plan import Plan, Role
from miner.swarm.work import Digger

CONNECT_SECONDS = 60.0
OPENING_AT_ONCE = 512  # connections that are not there yet
AGAIN_SECONDS = (1.0, 3.0)  # from a lost connection to the next try, at random, as miners do it
LATE_SECONDS = 1.0  # a share that is due for longer is left out
BUSY_SECONDS = 0.002  # of making shares, then the loop is free for others
GRACE_SECONDS = 5.0  # at the end, for answers that are still out
RESERVED = 64  # file descriptors for all that is no miner
NO_PORT = 24  # Linux's IP_BIND_ADDRESS_NO_PORT: one port serves connections to several servers


class Watch(Protocol):
    """Who is told each second how it goes."""

    def __call__(self, book: Book, point: Point) -> None: ...


class Swarm:
    """One run.

        swarm = Swarm(plan)
        await swarm.run(watch)
        swarm.book

    Raises UsageError where this process can't have as many connections.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.address = PoolAddress.of(plan.server)
        self._route = Route.of(plan.server)
        self._tls = self._route.tls_context() if self.address.tls else None
        algorithm = plan.server.algorithm
        self._digger = Digger(algorithm, first_that_fits(algorithm, usable_kernels(algorithm), 1))
        self._clock: Callable[[], float] = time.perf_counter
        self.book = Book(plan.miners, plan.ramp, self._clock())
        self._members: dict[int, Member] = {}  # by number, from 1
        self._ready: deque[Member] = deque()  # those that have a job, in the order of their turns
        self._places: list[tuple[int, tuple[object, ...]]] = []  # family and address, the server's
        self._tasks: set[asyncio.Task[None]] = set()
        self._opening = asyncio.Semaphore(OPENING_AT_ONCE)
        self._workers = max(1, plan.miners - plan.roles[Role.HALF_OPEN])  # that are to hand in shares
        self._stop = asyncio.Event()
        self._fault: BaseException | None = None
        self._away: set[int] = set()  # who left in the storm, and is not back yet
        self._stormed_at: float | None = None
        files = plan.miners + RESERVED
        if files_for(files) < files:
            raise UsageError(f"{plan.miners} connections need {files} open files, and this process may have "
                             f"{files_for(0):g}: raise the hard limit (ulimit -Hn, LimitNOFILE), or ask for fewer")

    async def resolve(self) -> list[str]:
        """Look the server's name up. Returns its addresses; the swarm connects to the first of them and nowhere else.
        Raises UsageError where it has none."""
        try:
            found = await asyncio.get_running_loop().getaddrinfo(self.address.host, self.address.port,
                                                                 type=socket.SOCK_STREAM)
        except OSError as error:
            raise UsageError(f"{self.address.host}: {one_line(error.strerror or str(error))}") from None
        self._places = [(family, place) for family, *_, place in found]
        return [str(place[0]) for _, place in self._places]

    async def run(self, watch: Watch = lambda book, point: None) -> None:
        """Do all that is planned, or what can be done of it until `stop`. `watch` is called each second."""
        if not self._places:
            await self.resolve()
        roles = self.plan.each_role()
        self.book.start(self._clock())
        for work in (self._open_all(roles), self._hand_in(), self._tell(watch), self._storm()):
            self._begin(work)
        with suppress(TimeoutError):
            async with asyncio.timeout(self.plan.ramp + self.plan.seconds):
                await self._stop.wait()
        self._stop.set()
        deadline = self._clock() + GRACE_SECONDS
        while self._clock() < deadline and any(member.unanswered for member in self._members.values()
                                               if member.role is Role.HONEST):
            await asyncio.sleep(0.02)
        for task in self._tasks:
            task.cancel()
        for member in list(self._members.values()):
            member.end("the run is over")
        await asyncio.gather(*self._tasks, return_exceptions=True)
        while self._members and self._clock() < deadline + GRACE_SECONDS:
            await asyncio.sleep(0.01)
        self.book.second(self._clock())
        self.book.finish()
        if self._fault is not None:
            raise self._fault

    def stop(self) -> None:
        """End the run early; what was seen by then counts. For the loop's own thread."""
        self._stop.set()

    # What members tell

    def ready(self, member: Member) -> None:
        """See member.Keeper."""
        member.counted = True
        self.book.here += 1
        if member.role is not Role.HALF_OPEN:
            self._ready.append(member)
        self._away.discard(member.number)
        if self._stormed_at is not None and not self._away and self.book.storm_seconds is None:
            self.book.storm_seconds = self._clock() - self._stormed_at

    def gone(self, member: Member, reason: str) -> None:
        """See member.Keeper."""
        if self._members.get(member.number) is member:
            del self._members[member.number]
        self.book.here -= member.counted
        if not self._stop.is_set():
            if member.number not in self._away:
                self.book.hung_up += 1
                self.book.error(reason if member.role is not Role.JUNK else f"{reason} (junk miners)")
            self._begin(self._open(member.number, member.role,
                                   0.0 if member.number in self._away else random.uniform(*AGAIN_SECONDS)))

    # Connections

    async def _open_all(self, roles: Iterable[Role]) -> None:
        step = self.plan.ramp / self.plan.miners
        for number, role in enumerate(roles, 1):
            if (ahead := self.book.began + step * number - self._clock()) > 0:
                await asyncio.sleep(ahead)
            self._begin(self._open(number, role))
            if number % OPENING_AT_ONCE == 0:
                await asyncio.sleep(0)

    async def _open(self, number: int, role: Role, pause: float = 0.0) -> None:
        """Connect a miner; again and again, as long as that fails."""
        while not self._stop.is_set():
            await asyncio.sleep(pause)
            pause = random.uniform(*AGAIN_SECONDS)
            server = self.plan.server
            login = Authorize(self.plan.username(number), server.password)
            async with self._opening:
                member = Member(number, role, server.user_agent, login, self, self.book, self._clock)
                try:
                    async with asyncio.timeout(CONNECT_SECONDS):
                        await self._connect(member, number)
                    return
                except TimeoutError:
                    self.book.error(f"no connection within {CONNECT_SECONDS:g} seconds")
                except OSError as error:
                    self.book.error(f"can't connect: {words_of(error)}")

    async def _connect(self, member: Member, number: int) -> None:
        family, place = self._places[0]
        opened = socket.socket(family, socket.SOCK_STREAM)
        try:
            opened.setblocking(False)
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.plan.addresses:
                with suppress(OSError):
                    opened.setsockopt(socket.SOL_IP, NO_PORT, 1)
                opened.bind((self.plan.addresses[number % len(self.plan.addresses)], 0))
            loop = asyncio.get_running_loop()
            await loop.sock_connect(opened, place)
            self._members[number] = member
            transport, _ = await loop.create_connection(
                lambda: member, sock=opened, ssl=self._tls, server_hostname=self.address.host if self._tls else None)
        except BaseException:
            self._members.pop(number, None)
            opened.close()
            raise
        if self._tls is not None:
            try:
                self._route.check_fingerprint(transport)
            except ConnectionError as error:
                member.end(str(error))

    async def _storm(self) -> None:
        """In the middle of the load, have some miners hang up and come back at once."""
        if self.plan.storm:
            await asyncio.sleep(self.plan.ramp + self.plan.seconds / 2)
            leaving = list(self._members.values())[:round(self.plan.miners * self.plan.storm)]
            self._away = {member.number for member in leaving}
            self._stormed_at = self._clock()
            for member in leaving:
                member.end("storm")

    # Shares

    async def _hand_in(self) -> None:
        """Have the miners hand in shares in turn, at times that don't wait for the server: a Poisson process, whose
        rate grows with the part of the miners that is ready."""
        due = since = self._clock()
        while self.plan.shares:
            now = self._clock()
            if not self._ready or due > now:
                await asyncio.sleep(max(due - now, 0.001))
                since = self._clock()
                due = due if self._ready else since
                continue
            if now - due > LATE_SECONDS:
                self.book.late += 1
            else:
                await self._one_share(due)
            due += random.expovariate(self.plan.shares * min(1.0, max(1, len(self._ready)) / self._workers))
            if self._clock() - since > BUSY_SECONDS:
                await asyncio.sleep(0)
                since = self._clock()

    async def _one_share(self, due: float) -> None:
        """Have the next miner hand one in, if it can."""
        member = self._next()
        if member is None:
            return
        if member.held_back:
            self.book.held_back += 1
            return
        while member.has_job and not self._stop.is_set():
            if (found := member.search(self._digger)) is not None:
                if member.role is Role.HONEST:
                    self.book.sent += 1
                    self.book.own_delay.add(self._clock() - due)
                elif member.role is Role.JUNK:
                    self.book.wrong_sent += 1
                member.hand_in(*found)
                return
            await asyncio.sleep(0)

    def _next(self) -> Member | None:
        """The next miner in turn that has a job."""
        for _ in range(len(self._ready)):
            member = self._ready.popleft()
            if not member.ended:
                self._ready.append(member)
                if member.has_job:
                    return member
        return None

    # The rest

    async def _tell(self, watch: Watch) -> None:
        while True:
            await asyncio.sleep(1.0)
            watch(self.book, self.book.second(self._clock()))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """What goes wrong in one part ends the whole, and is raised by `run`."""
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fault = self._fault or error
            self._stop.set()

"""The miner's end of a stratum connection, without I/O and without a clock.

    protocol.start()
    writer.write(protocol.data_to_send())
    for event in protocol.receive_data(data):
        ...
    writer.write(protocol.data_to_send())

Jobs, difficulties and extranonces may come in any order that pools send them in: a Job comes out once all that belongs
to it is known and the login holds. Messages that make no sense are Ignored one by one, up to a limit; what was known
before them stays in force. A move that is not allowed raises ProtocolError and changes nothing.
"""

import dataclasses
import enum
import math
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator

from miner.core.algorithm import Algorithm
from miner.core.errors import ProtocolError
from miner.core.model import Job, MinerReport, Share, ShareStatus
from miner.core.text import one_line
from miner.stratum import messages
from miner.stratum.client_events import (
    Answered,
    Authorized,
    ClientEvent,
    Ignored,
    LoginRefused,
    NewDifficulty,
    Subscribed,
)
from miner.stratum.reject import Reject, classify
from miner.stratum.wire import LineBuffer, Request, Response, decode, encode_request, encode_response
from miner.wrong_door import Speech, WrongDoorError, speech_of

MAX_LINE = 512 << 10  # a notify with a coinbase that pays thousands has some 100 kB
MAX_UNANSWERED = 512  # shares without a verdict
MAX_JOBS = 256  # whose shares can still be submitted
PATIENCE = 32  # senseless messages in a row before the connection is given up


class State(enum.Enum):
    """How far the connection has come. Each handshake step waits for the answer to the one before it."""

    NEW = "new"
    CONFIGURING = "configuring"
    SUBSCRIBING = "subscribing"
    AUTHORIZING = "authorizing"
    READY = "ready"
    REFUSED = "refused"


class ClientProtocol:
    """One connection. Its public attributes are for reading."""

    def __init__(self, algorithm: Algorithm, username: str, password: str, *, user_agent: str, hub: bool = False,
                 session: str = "", suggest_difficulty: float = 0.0, difficulty_scale: float = 1.0,
                 unwelcome: Collection[str] = ()) -> None:
        """
        hub                 the other end is a hub of ours: ask for our extension
        session             the one that an earlier connection had: ask for its extranonce1 again
        suggest_difficulty  what to ask for, in the algorithm's own scale; 0: nothing
        difficulty_scale    what the pool's difficulties are multiplied with
        unwelcome           offers (methods) that this pool must not hear
        """
        self.state = State.NEW
        self.extension = False  # the other end is a hub that takes reports
        self.difficulty = 1.0  # of the next job; 1 is what pools mean that never say
        self.session = session  # what an other connection may ask for, to get this one's extranonce1
        self.heard = 0  # well-formed messages so far: a peer that only dribbles bytes is as good as silent
        self.unanswered_offers: set[str] = set()  # methods that pools need not know; some hang up on them
        self._algorithm = algorithm
        self._login = messages.Authorize(username, password)
        self._user_agent = user_agent
        self._hub = hub
        self._suggest_difficulty = suggest_difficulty / difficulty_scale
        self._difficulty_scale = difficulty_scale
        self._unwelcome = frozenset(unwelcome)
        self._version_mask: int | None = None  # of the next job; None: the pool knows nothing of BIP 310
        self._extranonce: tuple[bytes, int] | None = None  # of the next job
        self._waiting: messages.Notify | None = None  # the latest job, until subscription and login are through
        self._last: Job | None = None
        self._issued: OrderedDict[str, str | int | None] = OrderedDict()  # ids of jobs -> as the pool wrote them
        self._lines = LineBuffer(MAX_LINE)
        self._out = bytearray()
        self._request_id = 0
        self._unanswered: dict[int, Callable[[Response], Iterator[ClientEvent]]] = {}
        self._shares = 0  # of the unanswered requests
        self._senseless = 0
        self._methods: dict[str, Callable[[Request], Iterator[ClientEvent]]] = {
            messages.Notify.METHOD: self._on_notify,
            messages.SetDifficulty.METHOD: self._on_set_difficulty,
            messages.SetExtranonce.METHOD: self._on_set_extranonce,
            messages.SetVersionMask.METHOD: self._on_set_version_mask,
            messages.Reconnect.METHOD: lambda request: iter((messages.Reconnect.parse(request.params),)),
            messages.ShowMessage.METHOD: lambda request: iter((messages.ShowMessage.parse(request.params),)),
            messages.Stop.METHOD: self._on_stop,
            messages.Pause.METHOD: self._on_pause,
            messages.PING: lambda request: self._reply(request, "pong"),
            messages.GET_VERSION: lambda request: self._reply(request, self._user_agent),
        }

    # In and out

    def receive_data(self, data: bytes) -> Iterator[ClientEvent]:
        """Take what came in and give what it means, event by event; iterate to the end. The iterator raises
        ProtocolError when the pool is beyond patience or refuses the subscription: close the connection. The error is a
        WrongDoorError where the first that came is HTTP or TLS."""
        self._lines.feed(data)
        return self._events()

    def data_to_send(self) -> bytes:
        """What is to be sent now; empties the buffer."""
        data = bytes(self._out)
        self._out.clear()
        return data

    # Moves

    def start(self) -> None:
        """Begin the handshake. Once, and first."""
        if self.state is not State.NEW:
            raise ProtocolError("the handshake has begun already")
        if self._hub:
            self.state = State.CONFIGURING
            self._call(messages.Configure.METHOD, messages.Configure((messages.EXTENSION,)).params, self._on_configured)
            return
        if self._algorithm.name == "sha256d":
            self._offer(messages.Configure.METHOD, messages.VERSION_ROLLING.params, self._on_version_rolling)
        self._subscribe()  # at once: many a pool leaves methods that it doesn't know without an answer

    def submit(self, share: Share) -> int:
        """Hand in a share of a job of this connection. Returns the number that its Answered will have."""
        if self.state is not State.READY:
            raise ProtocolError("not logged in at the pool")
        if share.job.job_id not in self._issued or not self._last or _extranonce(share.job) != _extranonce(self._last):
            raise ProtocolError("the job was not issued with this connection's extranonce")
        if self._shares >= MAX_UNANSWERED:
            raise ProtocolError(f"{MAX_UNANSWERED} shares are without an answer")
        work, job_id = share.work, share.job.job_id
        bits = None if self._version_mask is None else work.version & self._version_mask  # the pool keeps the others
        message = messages.Submit(self._login.username, job_id, work.extranonce2, work.ntime, share.nonce, bits,
                                  self._issued[job_id])
        self._shares += 1
        return self._call(messages.Submit.METHOD, message.params, self._on_submitted)

    def forget(self, request_id: int) -> None:
        """Wait no longer for this share's answer; one that still comes is dropped."""
        if self._unanswered.pop(request_id, None):
            self._shares -= 1

    def report(self, report: MinerReport) -> None:
        """Our extension: tell the hub how we do. Only where `extension`."""
        if not self.extension:
            raise ProtocolError("the other end takes no reports")
        self._out += encode_request(None, messages.Report.METHOD, messages.Report(report).params)

    # The pool's messages

    def _events(self) -> Iterator[ClientEvent]:
        while (line := self._lines.next_line()) is not None:
            try:
                message = decode(line)
                events = list(self._on_request(message) if isinstance(message, Request) else self._on_response(message))
            except ProtocolError as error:
                self._check_door(line)
                self._senseless += 1
                if self._senseless >= PATIENCE or self.state is State.REFUSED:
                    raise
                yield Ignored(str(error))
                continue
            self._senseless = 0
            self.heard += 1
            yield from events
        self._check_door(self._lines.head)

    def _check_door(self, data: bytes) -> None:
        """Raise WrongDoorError where the first that the other end says is no stratum."""
        speech = None if self.heard else speech_of(data)
        if speech is not None and speech is not Speech.STRATUM:
            raise WrongDoorError(speech)

    def _on_request(self, request: Request) -> Iterator[ClientEvent]:
        """Unknown methods are passed over in silence, with an id or without: pools invent notifications, put ids on
        them, and some close the connection on an answer that they don't expect."""
        handler = self._methods.get(request.method)
        return handler(request) if handler else iter(())

    def _on_response(self, response: Response) -> Iterator[ClientEvent]:
        handler = self._unanswered.pop(response.id, None) if isinstance(response.id, int) else None
        if handler:
            yield from handler(response)
        elif response.id is None and response.error:
            raise ProtocolError(f"an error without an id: {response.error.text or response.error.code}")

    def _on_notify(self, request: Request) -> Iterator[ClientEvent]:
        notify = messages.Notify.parse(request.params)
        if self.state is State.READY:
            return self._issue(notify)
        # A job that is replaced before anybody saw it hands on that the chain moved.
        clean = notify.clean or self._waiting is not None and self._waiting.clean
        self._waiting = dataclasses.replace(notify, clean=clean)
        return iter(())

    def _on_set_difficulty(self, request: Request) -> Iterator[ClientEvent]:
        difficulty = messages.SetDifficulty.parse(request.params).difficulty * self._difficulty_scale
        if not 0 < difficulty < math.inf:
            raise ProtocolError(f"{request.method}: beyond all measure")
        self.difficulty = difficulty
        yield NewDifficulty(difficulty)

    def _on_set_extranonce(self, request: Request) -> Iterator[ClientEvent]:
        message = messages.SetExtranonce.parse(request.params)
        self._extranonce = message.extranonce1, message.extranonce2_size
        return iter(())

    def _on_set_version_mask(self, request: Request) -> Iterator[ClientEvent]:
        """In force at once, for the job that is out as well."""
        if self._version_mask is None:
            return
        self._version_mask = messages.SetVersionMask.parse(request.params).mask
        if self._last and self._last.version_mask != self._version_mask:
            self._last = dataclasses.replace(self._last, version_mask=self._version_mask, clean=True)
            yield self._last

    def _on_pause(self, request: Request) -> Iterator[ClientEvent]:
        if self.extension:
            yield messages.Pause.parse(request.params)

    def _on_stop(self, request: Request) -> Iterator[ClientEvent]:
        if self.extension:
            yield messages.Stop.parse(request.params)

    def _reply(self, request: Request, result: str) -> Iterator[ClientEvent]:
        if request.id is not None:
            self._out += encode_response(request.id, result)
        return iter(())

    def _issue(self, notify: messages.Notify) -> Iterator[ClientEvent]:
        """The job, unless it is the last one over again: then whoever works on it goes on."""
        assert self._extranonce is not None
        job = notify.to_job(self._algorithm, *self._extranonce, self.difficulty, self._version_mask or 0)
        if self._last is not None and _extranonce(self._last) != _extranonce(job):
            job = dataclasses.replace(job, clean=True)  # the pool checks with the new one now, whatever the job
            self._issued.clear()
        if self._last is None or dataclasses.replace(self._last, clean=job.clean) != job:
            self._last = job
            self._issued[job.job_id] = notify.raw_job_id
            self._issued.move_to_end(job.job_id)
            if len(self._issued) > MAX_JOBS:
                self._issued.popitem(last=False)
            yield job

    # Answers to our requests

    def _on_configured(self, response: Response) -> Iterator[ClientEvent]:
        granted = response.result if isinstance(response.result, dict) else {}
        self.extension = granted.get(messages.EXTENSION) is True
        self._subscribe()
        return iter(())

    def _on_version_rolling(self, response: Response) -> Iterator[ClientEvent]:
        self._version_mask = messages.granted_version_mask(response.result)
        return iter(())

    def _on_subscribed(self, response: Response) -> Iterator[ClientEvent]:
        if response.error and not response.result:
            if self.session:  # perhaps it is only this that the pool doesn't like
                self.session = ""
                self._subscribe()
                return
            self.state = State.REFUSED
            raise ProtocolError(f"the pool refused the subscription: {response.error.text or response.error.code}")
        try:
            subscription = messages.Subscription.parse(response.result)
        except ProtocolError:
            self.state = State.REFUSED
            raise
        if self._extranonce is None:  # else a set_extranonce was faster, and newer
            self._extranonce = subscription.extranonce1, subscription.extranonce2_size
        self.session = subscription.session or subscription.extranonce1.hex()
        self.state = State.AUTHORIZING
        self._call(messages.Authorize.METHOD, self._login.params, self._on_authorized)
        if self._suggest_difficulty:
            suggestion = messages.SuggestDifficulty(self._suggest_difficulty)
            self._offer(suggestion.METHOD, suggestion.params)
        yield Subscribed(subscription.extranonce1, subscription.extranonce2_size, subscription.session)

    def _on_authorized(self, response: Response) -> Iterator[ClientEvent]:
        if response.error and response.result is not True or response.result is False:
            self.state = State.REFUSED
            yield LoginRefused(_reason(response))
            return
        self.state = State.READY
        yield Authorized()
        self._offer(messages.EXTRANONCE_SUBSCRIBE, [])
        if self._waiting:
            notify, self._waiting = self._waiting, None
            yield from self._issue(notify)

    def _on_submitted(self, response: Response) -> Iterator[ClientEvent]:
        self._shares -= 1
        assert isinstance(response.id, int)
        if response.result is True:
            yield Answered(response.id, ShareStatus.ACCEPTED)
        else:
            stale = classify(response.error) is Reject.STALE
            yield Answered(response.id, ShareStatus.STALE if stale else ShareStatus.REJECTED, _reason(response))

    # The small steps

    def _subscribe(self) -> None:
        self.state = State.SUBSCRIBING
        subscribe = messages.Subscribe(self._user_agent, self.session)
        self._call(subscribe.METHOD, subscribe.params, self._on_subscribed)

    def _offer(self, method: str, params: list[object],
               handler: Callable[[Response], Iterator[ClientEvent]] = lambda response: iter(())) -> None:
        """Say what a pool need not know. By default yes and no are all the same to us."""
        if method in self._unwelcome:
            return

        def on_answer(response: Response) -> Iterator[ClientEvent]:
            self.unanswered_offers.discard(method)
            return handler(response)

        self.unanswered_offers.add(method)
        self._call(method, params, on_answer)

    def _call(self, method: str, params: list[object], handler: Callable[[Response], Iterator[ClientEvent]]) -> int:
        self._request_id += 1
        self._unanswered[self._request_id] = handler
        self._out += encode_request(self._request_id, method, params)
        return self._request_id


def _extranonce(job: Job) -> tuple[bytes, int]:
    return job.extranonce1, job.extranonce2_size


def _reason(response: Response) -> str:
    """The pool's words for its no; it may have none."""
    if response.error is None:
        return one_line(response.result) if isinstance(response.result, str) else ""
    return response.error.text or f"code {response.error.code}"

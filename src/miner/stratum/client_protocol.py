"""The miner's end of a stratum connection, without I/O and without a clock.

    protocol.start()
    writer.write(protocol.data_to_send())
    for event in protocol.receive_data(data):
        ...
    writer.write(protocol.data_to_send())

Jobs, difficulties and extranonces may come in any order that pools send them in: a Job comes out once all that belongs
to it is known and the login holds. Messages that make no sense are Ignored one by one, up to a limit; what was known
before them stays in force. A move that is not allowed raises ProtocolError and changes nothing; `handshake` draws those
that are.
"""

from collections.abc import Collection, Iterator

from miner.core.algorithm import Algorithm
from miner.core.errors import ProtocolError
from miner.core.model import MinerReport, Share, ShareStatus
from miner.core.text import one_line
from miner.stratum import messages
from miner.stratum.calls import Calls
from miner.stratum.client_events import (
    Answered,
    Authorized,
    ClientEvent,
    Ignored,
    LoginLost,
    LoginRefused,
    NoHub,
    Shunned,
    Subscribed,
)
from miner.stratum.handshake import Handshake, State, Step
from miner.stratum.pool_jobs import PoolJobs
from miner.stratum.pool_requests import PoolRequests
from miner.stratum.reject import Reject, classify, is_stranger
from miner.stratum.wire import LineBuffer, Request, Response, decode
from miner.wrong_door import Speech, WrongDoorError, speech_of

MAX_LINE = 512 << 10  # bytes; a notify with a coinbase that pays thousands has some 100 kB
MAX_UNANSWERED = 512  # shares without a verdict
MAX_WORKERS = 1024  # that are logged in besides the user
PATIENCE = 32  # senseless messages in a row before the connection is given up
UNKNOWN_SHARES = 3  # in a row, refused because the pool doesn't know the worker, before we log in again


class ClientProtocol:
    """One connection. Its public attributes are for reading."""

    def __init__(self, algorithm: Algorithm, username: str, password: str, *, user_agent: str, hub: bool = False,
                 session: str = "", earlier: PoolJobs | None = None, suggest_difficulty: float = 0.0,
                 difficulty_scale: float = 1.0, unwelcome: Collection[str] = ()) -> None:
        """
        hub                 the other end is a hub of ours: ask for our extension, and log in with what only a holder
                            of the password can make of the hub's nonce; where there is none, don't log in
        session             the one that an earlier connection had: ask for its extranonce1 again
        earlier             that connection's jobs: where the pool gives us its extranonce, their shares are taken here
        suggest_difficulty  the difficulty to ask for, in the algorithm's own scale; 0: none
        difficulty_scale    what the pool's difficulties are multiplied with
        unwelcome           offers (methods) that this pool must not hear
        """
        self.session = session  # what another connection may ask for, to get this one's extranonce1
        self.heard = 0  # well-formed messages so far: a peer that only dribbles bytes is as good as silent
        self.jobs = PoolJobs(algorithm)
        self._calls = Calls(unwelcome)
        self._requests = PoolRequests(self.jobs, self._calls, user_agent, difficulty_scale)
        self._handshake = Handshake()
        self._login = messages.Authorize(username, password)
        self._password = password
        self._nonce = b""  # a hub's, to log in with
        self._workers: dict[str, bool] = {}  # user names with a worker behind them: whether the pool has let it in
        self._user_agent = user_agent
        self._hub = hub
        self._rolls_versions = algorithm.rolls_version
        self._earlier = earlier
        self._suggest_difficulty = suggest_difficulty / difficulty_scale
        self._lines = LineBuffer(MAX_LINE)
        self._shares = 0  # without a verdict
        self._senseless = 0  # messages in a row
        self._unknown = 0  # shares in a row that the pool refused because it doesn't know the worker
        self._login_number = 0  # of the latest login's request: only shares sent after it say whether it holds
        self._logged_in_again = False  # since the pool knew the worker last

    @property
    def state(self) -> State:
        """How far the connection has come."""
        return self._handshake.state

    @property
    def extension(self) -> bool:
        """Whether the other end is a hub that takes reports."""
        return self._requests.extension

    @property
    def unanswered_offers(self) -> set[str]:
        """Methods that the pool need not know, and has not answered."""
        return self._calls.unanswered_offers

    # In and out

    def receive_data(self, data: bytes) -> Iterator[ClientEvent]:
        """Take what came in and give what it means, event by event; iterate to the end. The iterator raises
        ProtocolError when the pool is beyond patience or refuses the subscription: close the connection. The error is a
        WrongDoorError where the first that came is HTTP or TLS."""
        self._lines.feed(data)
        return self._events()

    def data_to_send(self) -> bytes:
        """What is to be sent now; empties the buffer."""
        return self._calls.data_to_send()

    def _events(self) -> Iterator[ClientEvent]:
        while (line := self._lines.next_line()) is not None:
            try:
                message = decode(line)
                events = list(self._requests.receive(message) if isinstance(message, Request)
                              else self._on_response(message))
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

    # Moves

    def start(self) -> None:
        """Begin the handshake. Once, and first."""
        if self.state is not State.NEW:
            raise ProtocolError("the handshake has begun already")
        if self._hub:
            self._handshake.take(Step.CONFIGURE)
            rolling = messages.VERSION_ROLLING if self._rolls_versions else messages.Configure(())
            asked = messages.Configure((messages.EXTENSION, *rolling.extensions), rolling.settings)
            self._calls.call(asked.METHOD, asked.params, self._on_configured)
            return
        if self._rolls_versions:
            self._calls.offer(messages.Configure.METHOD, messages.VERSION_ROLLING.params, self._on_version_rolling)
        self._subscribe()  # at once: many a pool leaves methods that it doesn't know without an answer

    def submit(self, share: Share) -> int:
        """Hand in a share of a job of this connection, or of an earlier one that the pool resumes. Returns the number
        that its Answered will have."""
        if self.state is not State.READY:
            raise ProtocolError("not logged in at the pool")
        message = self.jobs.submission(share, self._username_for(share.worker))
        if self._shares >= MAX_UNANSWERED:
            raise ProtocolError(f"{MAX_UNANSWERED} shares are without an answer")
        self._shares += 1
        return self._calls.call(messages.Submit.METHOD, message.params, self._on_submitted)

    def _username_for(self, worker: str) -> str:
        """The user name for a worker's share. A worker is logged in with its first one; until the pool has let it in,
        and where it doesn't, its shares are the user's own."""
        if not worker:
            return self._login.username
        name = f"{self._login.username.partition('.')[0]}.{worker}"
        if name not in self._workers and len(self._workers) < MAX_WORKERS and name != self._login.username:
            self._workers[name] = False
            login = messages.Authorize(name, self._password_of(name))
            self._calls.call(login.METHOD, login.params, lambda response: self._on_worker(name, response))
        return name if self._workers.get(name) else self._login.username

    def _on_worker(self, name: str, response: Response) -> Iterator[ClientEvent]:
        if response.result is True:
            self._workers[name] = True
        else:
            yield Ignored(f"no login for worker {one_line(name, 64)}: its shares count for {self._login.username}")

    def _password_of(self, username: str) -> str:
        """What the other end wants to be shown with this user name."""
        return messages.login_proof(self._password, self._nonce, username) if self._nonce else self._password

    def forget(self, request_id: int) -> None:
        """Wait no longer for this share's answer; one that still comes is dropped."""
        if self._calls.forget(request_id):
            self._shares -= 1

    def report(self, report: MinerReport) -> None:
        """Our extension: tell the hub how we do. Only where `extension`."""
        if not self.extension:
            raise ProtocolError("the other end takes no reports")
        self._calls.tell(messages.Report.METHOD, messages.Report(report).params)

    def _subscribe(self) -> None:
        self._handshake.take(Step.SUBSCRIBE)
        subscribe = messages.Subscribe(self._user_agent, self.session)
        self._calls.call(subscribe.METHOD, subscribe.params, self._on_subscribed)

    def _authorize(self) -> None:
        self._handshake.take(Step.AUTHORIZE)
        self._workers.clear()
        self._login_number = self._calls.call(messages.Authorize.METHOD, self._login.params, self._on_authorized)

    # Answers to our requests

    def _on_response(self, response: Response) -> Iterator[ClientEvent]:
        events = self._calls.answered(response)
        if events is not None:
            return events
        if response.id is None and response.error:
            raise ProtocolError(f"an error without an id: {response.error.text or response.error.code}")
        return iter(())

    def _on_configured(self, response: Response) -> Iterator[ClientEvent]:
        nonce = messages.granted_nonce(response.result)
        if nonce is None:
            self._handshake.take(Step.REFUSE)
            yield NoHub()
            return
        self._requests.extension = True
        self._nonce = nonce
        self._login = messages.Authorize(self._login.username, self._password_of(self._login.username))
        self._subscribe()
        self.jobs.version_mask = messages.granted_version_mask(response.result)

    def _on_version_rolling(self, response: Response) -> Iterator[ClientEvent]:
        self.jobs.version_mask = messages.granted_version_mask(response.result)
        return iter(())

    def _on_subscribed(self, response: Response) -> Iterator[ClientEvent]:
        if response.error and not response.result:
            if self.session:  # perhaps it is only this that the pool doesn't like
                self.session = ""
                self._subscribe()
                return
            self._handshake.take(Step.REFUSE)
            raise ProtocolError(f"the pool refused the subscription: {response.error.text or response.error.code}")
        try:
            subscription = messages.Subscription.parse(response.result)
        except ProtocolError:
            self._handshake.take(Step.REFUSE)
            raise
        if self.jobs.extranonce is None:  # else a set_extranonce was faster, and newer
            self.jobs.extranonce = subscription.extranonce1, subscription.extranonce2_size
        if self._earlier:
            self.jobs.resume(self._earlier)
        self.session = subscription.session or subscription.extranonce1.hex()
        self._authorize()
        if self._suggest_difficulty:
            suggestion = messages.SuggestDifficulty(self._suggest_difficulty)
            self._calls.offer(suggestion.METHOD, suggestion.params)
        yield Subscribed(subscription.extranonce1, subscription.extranonce2_size, subscription.session)

    def _on_authorized(self, response: Response) -> Iterator[ClientEvent]:
        if response.error and response.result is not True or response.result is False:
            self._handshake.take(Step.REFUSE)
            yield LoginRefused(_reason(response))
            return
        self._handshake.take(Step.ENTER)
        yield Authorized()
        if not self._logged_in_again:
            self._calls.offer(messages.EXTRANONCE_SUBSCRIBE, [])
        try:
            job = self.jobs.release()
        except ProtocolError as error:
            yield Ignored(str(error))
        else:
            yield from () if job is None else (job,)

    def _on_submitted(self, response: Response) -> Iterator[ClientEvent]:
        self._shares -= 1
        assert isinstance(response.id, int)
        no_block = self.extension and response.result == messages.NO_BLOCK
        accepted = response.result is True or no_block
        if accepted:
            yield Answered(response.id, ShareStatus.ACCEPTED, no_block=no_block)
        else:
            kind = classify(response.error)
            status = ShareStatus.STALE if kind is Reject.STALE else ShareStatus.REJECTED
            yield Answered(response.id, status, _reason(response), kind)
        if accepted or not is_stranger(response.error):
            self._unknown, self._logged_in_again = 0, False
        elif self.extension:
            pass  # a hub repeats its pool's words, and logs in there itself
        elif self.state is State.READY and response.id > self._login_number:
            yield from self._on_unknown(_reason(response))

    def _on_unknown(self, reason: str) -> Iterator[ClientEvent]:
        """A share was refused because the pool doesn't know who hands it in."""
        self._unknown += 1
        if self._unknown < UNKNOWN_SHARES:
            return
        self._unknown = 0
        if self._logged_in_again:
            yield Shunned(reason)
            return
        self._logged_in_again = True
        self.jobs.close()
        self._authorize()
        yield LoginLost(reason)


def _reason(response: Response) -> str:
    """The pool's words for its no; it may have none."""
    if response.error is None:
        return one_line(response.result) if isinstance(response.result, str) else ""
    return response.error.text or f"code {response.error.code}"

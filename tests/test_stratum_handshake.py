"""The handshake's table: what is allowed leads on, what isn't raises and changes nothing."""

import itertools

import pytest

from miner.core.errors import ProtocolError
from miner.stratum.handshake import TABLE, Handshake, State, Step


def test_every_state_is_reached_and_every_one_but_the_end_leads_on() -> None:
    reached, todo = {State.NEW}, [State.NEW]
    while todo:
        news = set(TABLE[todo.pop()].values()) - reached
        reached |= news
        todo += news
    assert reached == set(State) == set(TABLE)
    assert [state for state, steps in TABLE.items() if not steps] == [State.REFUSED]


@pytest.mark.parametrize(("state", "step"), [
    (state, step) for state, step in itertools.product(State, Step) if step not in TABLE[state]])
def test_a_step_that_is_not_in_the_table_raises_and_changes_nothing(state: State, step: Step) -> None:
    handshake = Handshake()
    handshake.state = state
    with pytest.raises(ProtocolError, match=f"{step.value} makes no sense .* {state.value}"):
        handshake.take(step)
    assert handshake.state is state


def test_the_way_at_a_hub_that_later_forgets_us() -> None:
    handshake = Handshake()
    for step in (Step.CONFIGURE, *[Step.SUBSCRIBE] * 2, *[Step.AUTHORIZE, Step.ENTER] * 2):
        handshake.take(step)
    assert handshake.state is State.READY

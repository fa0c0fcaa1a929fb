"""Membership: who belongs to the cluster, as the log says.

One node is added or removed at a time, by an entry ["add-node", name] or ["remove-node", name]. A node goes by the
newest such entry in its log from the moment that it is there, committed or not, and back again when the entry is
replaced (Ongaro 2014, 4.1). As any majority of the old members shares a node with any majority of the new ones, no two
leaders can be elected by different ideas of who the members are.

How a change comes about is in `changes.py`. A snapshot has to keep `membership_at` its index; a log that begins with a
snapshot begins with `begin(state, index, membership)`.

Limits: every node has an address from the start (`--peers`); `--members` names those that the cluster begins with.
"""

from __future__ import annotations

from collections.abc import Iterable

from .commands import CHANGES
from .messages import NOTHING, Command, Entry
from .roles import become_follower
from .state import Membership, State


def begin(state: State, index: int = 0, known: Membership | None = None) -> None:
    """Take the membership as of `index` (the configured one at the very beginning), and go on with the log after it."""
    state.memberships = [known or Membership(NOTHING, state.configuration.first_members)]
    on_appended(state, [state.log.entry(i) for i in range(max(index, state.log.base[1]) + 1, state.log.last_index + 1)])


def on_appended(state: State, entries: Iterable[Entry]) -> None:
    """Go by what new entries say."""
    for entry in entries:
        if is_change(entry.command):
            state.memberships.append(Membership(entry.version(), _changed(state.members, entry.command)))
            state.note(f"members from entry {entry.index} on: {', '.join(state.members)}")


def on_truncated(state: State, index: int) -> None:
    """Forget what entries after `index` said."""
    while state.memberships[-1].version[1] > index:
        state.memberships.pop()


def on_applied(state: State) -> None:
    """Once a removal is committed, the leader lets go of who was removed; if that is itself, it steps down."""
    if state.role != "leader" or state.is_changing():
        return
    members, joining = state.members, state.joining
    for name in [name for name in state.followers if name not in members]:
        if joining is None or name != joining.name:
            del state.followers[name]
    if not state.is_member():
        state.note("no member any more")
        become_follower(state, state.generation, None)


def membership_at(state: State, index: int) -> Membership:
    """The members as the log up to `index` says."""
    return next(one for one in reversed(state.memberships) if one.version[1] <= index)


def is_change(command: Command) -> bool:
    """Whether this entry changes the membership."""
    return command is not None and command[0] in CHANGES


def _changed(members: tuple[str, ...], command: Command) -> tuple[str, ...]:
    assert command is not None
    f, name = command[:2]
    others = tuple(member for member in members if member != name)
    return (*others, str(name)) if f == "add-node" else others

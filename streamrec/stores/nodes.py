"""The nodes of a Redis Cluster: which one has a key, and asking the right one while keys move."""

import asyncio
import random
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from redis.asyncio import ConnectionPool
from redis.crc import key_slot
from redis.exceptions import AskError, ClusterDownError, MovedError, ResponseError, TryAgainError

from streamrec.stores.base import StoreUnavailableError
from streamrec.stores.remedy import remedy
from streamrec.stores.wire import Command, LostError, Wire, Wires

_PAUSE_S: Final = 0.02  # before a command is tried again that no node has taken


class Node(NamedTuple):
    """Where a server listens."""

    host: str
    port: int


class Ask(NamedTuple):
    """A command, and the key that says which node it is for."""

    key: str
    command: Command


def hash_slot(key: str) -> int:
    """One of the 16384 parts of a cluster's key space: that of the key's hash tag.

    Examples
    --------
    >>> hash_slot("sr:{m0}:member:21") == hash_slot("sr:{m0}:positions")
    True
    """
    return int(key_slot(key.encode()))


class DividedError(StoreUnavailableError):
    """The keys of one command are on two nodes, since their slot is being moved: ask for one key at a time."""


class Nodes:
    """Knows who has what, by asking any node, again whenever that turns out to be of yesterday.

    Parameters
    ----------
    starts
        Connections to some of the nodes; the others are told by these.
    timeout_s
        Bound on one round trip in seconds, and on all tries of one command.
    connections
        How many may be in use at a time, a node.
    """

    def __init__(self, starts: Sequence[ConnectionPool], timeout_s: float, connections: int) -> None:
        self._template, self._timeout_s, self._connections = starts[0], timeout_s, connections
        self._starts = [_node_of(pool) for pool in starts]
        self._owners: list[Node] = []  # by hash slot; empty: not known
        self._wires: dict[Node, Wires] = {}
        self._learning = asyncio.Lock()
        self._closed = False

    async def owner(self, key: str) -> Node:
        """The node that has `key`. Raises StoreUnavailableError."""
        return (await self._known())[hash_slot(key)]

    async def all(self) -> list[Node]:
        """The nodes that have keys. Raises StoreUnavailableError."""
        return sorted(set(await self._known()))

    def forget(self) -> None:
        """Who has what is of yesterday, or may be: it is asked for anew before the next command."""
        self._owners = []

    def wire(self, node: Node) -> Wire:
        """A connection of the caller's own to `node`, which connects when first used."""
        return Wire(self._pool(node), self._timeout_s)

    async def ask(self, operation: str, asks: Sequence[Ask], *, repeat: bool, wait_s: float = 0.0) -> list[Any]:
        """Replies in the order of `asks`: one round trip a node, all nodes at once.

        Raises
        ------
        StoreUnavailableError
            See `Wires.ask`; or no node has taken a command within `timeout_s`.
        DividedError
            See there; some of the commands may have been done.
        """
        replies: list[Any] = [None] * len(asks)
        left: list[tuple[int, Node | None]] = [(index, None) for index in range(len(asks))]  # and whom we are sent to
        deadline = asyncio.get_running_loop().time() + self._timeout_s + wait_s
        while left:
            owners = await self._known()
            parts: dict[tuple[Node, bool], list[int]] = {}
            for index, sent_to in left:
                place = (sent_to or owners[hash_slot(asks[index].key)], sent_to is not None)
                parts.setdefault(place, []).append(index)
            work = (
                self._ask_node(node, operation, [asks[index].command for index in part], asking, repeat, wait_s)
                for (node, asking), part in parts.items()
            )
            answers = await asyncio.gather(*work, return_exceptions=True)
            left, refused = [], None
            for part, answer in zip(parts.values(), answers, strict=True):
                if isinstance(answer, BaseException):
                    raise answer
                for index, reply in zip(part, answer, strict=True):
                    replies[index] = reply
                    if isinstance(reply, TryAgainError):
                        raise DividedError(remedy(reply, asks[index].key, 0.0)) from reply
                    if isinstance(reply, AskError):
                        refused = reply
                        left.append((index, self._sent_to(reply)))
            left.sort()
            if refused is not None and asyncio.get_running_loop().time() > deadline:
                raise StoreUnavailableError(
                    f"the nodes of Redis send {asks[left[0][0]].key} from one to another: its slot is being moved, or they do "
                    "not agree; see redis-cli --cluster check"
                )
            if isinstance(refused, MovedError):
                await asyncio.sleep(_PAUSE_S)
        return replies

    async def ask_node(self, node: Node, operation: str, command: Command) -> Any:
        """The reply of one node to a command that may be repeated."""
        [reply] = await self._ask_node(node, operation, [command], asking=False, repeat=True, wait_s=0.0)
        return reply

    async def close(self) -> None:
        """Close all connections but those made by `wire`."""
        self._closed = True
        for wires in self._wires.values():
            await wires.close()

    async def _ask_node(
        self, node: Node, operation: str, commands: Sequence[Command], asking: bool, repeat: bool, wait_s: float
    ) -> list[Any]:
        sent = [each for command in commands for each in ((("ASKING",), command) if asking else (command,))]
        try:
            replies = await self._wires_of(node).ask(operation, sent, repeat=repeat, wait_s=wait_s, redirections=True)
        except StoreUnavailableError as error:
            if isinstance(error, LostError) or isinstance(error.__cause__, ClusterDownError):
                self.forget()  # another node may have taken over
            raise
        return replies[1::2] if asking else replies

    def _sent_to(self, reply: AskError) -> Node | None:
        if isinstance(reply, MovedError):
            self.forget()
            return None
        return Node(reply.host, reply.port)

    async def _known(self) -> list[Node]:
        if self._owners:
            return self._owners
        async with self._learning:
            if not self._owners:
                self._owners = await self._learn()
            return self._owners

    async def _learn(self) -> list[Node]:
        """Ask for the map, those first that we know to be nodes."""
        candidates = list(dict.fromkeys([*random.sample([*self._wires], len(self._wires)), *self._starts]))
        failure: StoreUnavailableError | None = None
        for node in candidates:
            try:
                [slots] = await self._wires_of(node).ask("nodes", [("CLUSTER", "SLOTS")], repeat=True)
            except StoreUnavailableError as error:
                if isinstance(error.__cause__, ResponseError) and "cluster support disabled" in str(error):
                    raise StoreUnavailableError(
                        f"Redis at {node.host}:{node.port} is not a node of a cluster: set redis_cluster = false"
                    ) from error
                failure = error
                continue
            owners = dict(_spans(slots, node))
            if len(owners) == 1 << 14:
                return [owners[number] for number in range(1 << 14)]
            missing = (1 << 14) - len(owners)
            failure = StoreUnavailableError(
                f"the cluster of Redis at {node.host}:{node.port} has no node for {missing:,} of its 16,384 slots: bring its "
                "nodes back, see redis-cli --cluster check"
            )
        assert failure is not None  # noqa: S101 - there is a start at least
        raise failure

    def _wires_of(self, node: Node) -> Wires:
        if self._closed:
            raise StoreUnavailableError("this store is closed")
        if node not in self._wires:
            self._wires[node] = Wires(self._pool(node), self._timeout_s, self._connections)
        return self._wires[node]

    def _pool(self, node: Node) -> ConnectionPool:
        kwargs = {**self._template.connection_kwargs, "host": node.host, "port": node.port}
        return ConnectionPool(self._template.connection_class, **kwargs)


def _node_of(pool: ConnectionPool) -> Node:
    options = pool.connection_kwargs
    return Node(options.get("host", "localhost"), int(options.get("port", 6379)))


def _spans(slots: Sequence[Any], told_by: Node) -> Iterator[tuple[int, Node]]:
    for first, last, primary, *_ in slots:
        host = (primary[0] or b"").decode()  # empty: the one that was asked
        node = Node(host or told_by.host, int(primary[1]))
        yield from ((number, node) for number in range(first, last + 1))

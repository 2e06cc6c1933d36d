"""A Redis Cluster of a few nodes on this machine, for tests; what `redis-cli --cluster create` does, without redis-cli."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import redis
from redis.crc import key_slot

from streamrec.local.ports import free_port
from streamrec.local.servers import Server, start_redis

SLOTS = 1 << 14


class LocalCluster:
    """Nodes with equal shares of the slots; up when the constructor returns.

    With `replicas`, as many of the nodes get one. After `timeout_ms` without a word a node counts as dead.
    """

    def __init__(self, directory: Path, nodes: int = 3, replicas: int = 0, timeout_ms: int = 10_000) -> None:
        self._timeout_ms = timeout_ms
        self.servers: list[Server] = []
        self.clients: list[Any] = []
        try:
            self._form(directory, nodes, replicas)
        except BaseException:
            self.stop()
            raise

    def _form(self, directory: Path, nodes: int, replicas: int) -> None:
        self.servers += (self._start(directory / f"node{number}") for number in range(nodes + replicas))
        self.clients += [redis.Redis(port=server.port, decode_responses=True) for server in self.servers]
        for number, client in enumerate(self.clients[:nodes]):
            mine = range(number * SLOTS // nodes, (number + 1) * SLOTS // nodes)
            client.execute_command("CLUSTER", "ADDSLOTS", *mine)
            client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)  # equal ones would give moved slots back
            if number:
                client.execute_command("CLUSTER", "MEET", "127.0.0.1", self.servers[0].port)
        for client in self.clients[nodes:]:
            client.execute_command("CLUSTER", "MEET", "127.0.0.1", self.servers[0].port)
        self.wait(lambda: all(self._knows(client, len(self.servers)) for client in self.clients))
        for number, client in enumerate(self.clients[nodes:]):
            client.execute_command("CLUSTER", "REPLICATE", self.id(number))
        self.wait(lambda: all(self._info(client)["cluster_state"] == "ok" for client in self.clients))
        self.wait(
            lambda: all(client.info("replication")["master_link_status"] == "up" for client in self.clients[nodes:])
        )

    @property
    def url(self) -> str:
        """Two of the nodes, as the setting `redis` names them."""
        return ",".join(f"redis://{server.address}/0" for server in self.servers[:2])

    def id(self, number: int) -> str:
        return str(self.clients[number].execute_command("CLUSTER", "MYID"))

    def owner(self, key: str) -> int:
        """Number of the node that has the slot of `key`."""
        for first, last, primary, *_ in self.clients[0].execute_command("CLUSTER", "SLOTS"):
            if first <= key_slot(key.encode()) <= last:
                return [server.port for server in self.servers].index(primary[1])
        raise KeyError(key)

    def replicated(self, number: int) -> bool:
        """Whether the replica of a node has all that the node has written."""
        told = self.clients[number].info("replication")
        return bool(told["slave0"]["offset"] == told["master_repl_offset"])

    def begin_move(self, key: str, target: int) -> tuple[int, int]:
        """Tell both nodes that the slot of `key` is on its way to `target`; the slot, and the node that has it."""
        source, slot = self.owner(key), key_slot(key.encode())
        self.clients[target].execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", self.id(source))
        self.clients[source].execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", self.id(target))
        return slot, source

    def move_keys(self, source: int, target: int, keys: Sequence[str]) -> None:
        self.clients[source].execute_command(
            "MIGRATE", "127.0.0.1", self.servers[target].port, "", 0, 5000, "KEYS", *keys
        )

    def end_move(self, slot: int, source: int, target: int) -> None:
        """Move what is left of a slot, and tell everybody."""
        while left := self.clients[source].execute_command("CLUSTER", "GETKEYSINSLOT", slot, 100):
            self.move_keys(source, target, left)
        for number in dict.fromkeys((target, source, *range(len(self.clients)))):
            self.clients[number].execute_command("CLUSTER", "SETSLOT", slot, "NODE", self.id(target))

    def wait(self, condition: Callable[[], bool], patience_s: float = 20) -> None:
        deadline = time.monotonic() + patience_s
        while not condition():
            assert time.monotonic() < deadline, [self._info(client) for client in self.clients]
            time.sleep(0.02)

    def stop(self) -> None:
        for client in self.clients:
            client.close()
        for server in self.servers:
            server.stop()

    def _start(self, directory: Path) -> Server:
        while True:
            port = free_port()
            if port < 55_000:  # the nodes talk to each other on the port 10,000 above
                return start_redis(directory, port, options=(
                    "--cluster-enabled", "yes", "--cluster-node-timeout", str(self._timeout_ms),
                    "--repl-diskless-sync-delay", "0",
                ))  # fmt: skip

    @staticmethod
    def _info(client: Any) -> dict[str, Any]:
        lines = str(client.execute_command("CLUSTER", "INFO")).splitlines()
        return dict(line.split(":", 1) for line in lines)

    def _knows(self, client: Any, count: int) -> bool:
        return int(self._info(client)["cluster_known_nodes"]) == count

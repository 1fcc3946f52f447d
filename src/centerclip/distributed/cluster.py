"""The connection to a Ray cluster: reaching it, what it has, and errors in words for its owner."""

from __future__ import annotations

import atexit
import logging
import os
import secrets
import socket
import sys
from collections.abc import Mapping
from threading import Thread
from time import monotonic, sleep
from types import TracebackType
from typing import Any, Self

from centerclip.cores import available_cores
from centerclip.errors import ClusterError

__all__ = ["LOCAL", "Cluster"]

LOCAL = "local"
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is reported to anybody
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # would send the working folder, maybe with videos, to all nodes
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",  # tasks for the CPU don't see GPUs
}
_HEAD_SECONDS = 10.0
"""How long the head may be unreachable."""
_STORE_BYTES = 1 << 30
"""Memory for a local cluster's objects, of which only what is used is taken; more goes to the disk."""


class Cluster:
    """A Ray cluster, while entered or until closed.

    A process has at most one connection; one that exists already is used, and left open. After a loss
    (`is_lost`), the process can't use Ray any more, and should end by `os._exit`.

    Args:
        address: `HOST:PORT` of a cluster's head, `auto` for the cluster that this machine is a node of, or
            `local` to start one here that ends with this process.

    Raises:
        ClusterError: Ray isn't installed, or the cluster can't be reached.
    """

    def __init__(self, address: str) -> None:
        if "://" in address:
            raise ClusterError(
                f"--ray {address}: Ray Client isn't supported. Run the command on a node of the cluster: "
                "`ray start --address=HOST:PORT`, then --ray auto"
            )
        for name, value in _SETTINGS.items():
            os.environ.setdefault(name, value)
        if address == LOCAL and "ray" not in sys.modules:
            _keep_others_out()
        try:
            import ray
        except ModuleNotFoundError as error:
            raise ClusterError("--ray needs Ray: pip install 'centerclip[distributed]'") from error
        self.address = address
        self._ray: Any = ray
        self._ray._private.worker._worker_logs_enabled = False  # it would print lost workers on stdout
        self.is_lost = False
        self._own = not ray.is_initialized()
        if self._own:
            self._connect()

    def _connect(self) -> None:
        how: dict[str, Any] = {"address": self.address}
        if self.address == LOCAL:
            how |= {
                "num_cpus": available_cores(),
                "include_dashboard": False,
                "object_store_memory": _STORE_BYTES,
            }
        try:
            self._ray.init(
                **how,
                namespace="centerclip",
                log_to_driver=False,
                logging_level=logging.CRITICAL,
            )
        except Exception as error:  # Ray has no class for it: ValueError, ConnectionError, RuntimeError...
            reason = " ".join(str(error).split())[:200]
            raise ClusterError(
                f"--ray {self.address}: can't be used ({reason}). Start a cluster with `ray start --head`, "
                "add this machine with `ray start --address=HOST:PORT`, or give local"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Disconnect, and end a cluster that was started here.

        Raises:
            ClusterError: the cluster is gone.
        """
        if self._own:
            self.check()
            self._own = False
            self._ray.shutdown()

    @property
    def nodes(self) -> int:
        """The number of living nodes."""
        return len(self._living())

    def slots(self, needs: Mapping[str, float]) -> int:
        """Return how many tasks that need so much the living nodes can run at once.

        Raises:
            ClusterError: the cluster is gone.
        """
        return sum(
            min(int(node["Resources"].get(name, 0.0) // amount) for name, amount in needs.items())
            for node in self._living()
        )

    def _living(self) -> list[dict[str, Any]]:
        self.check()
        answer: list[list[dict[str, Any]] | Exception] = []

        def ask() -> None:
            try:
                answer.append(self._ray.nodes())
            except Exception as error:  # of many kinds
                answer.append(error)

        asking = Thread(target=ask, name="centerclip-ray", daemon=True)
        asking.start()
        asking.join(_HEAD_SECONDS)
        found = answer[0] if answer else TimeoutError("it doesn't answer")
        if isinstance(found, Exception):
            raise self.lost(found) from found
        return [node for node in found if node["Alive"]]

    def check(self) -> None:
        """Notice a lost head before Ray does, which after a minute ends this process without a word.

        Raises:
            ClusterError: the head can't be reached.
        """
        host, _, port = self._ray.get_runtime_context().gcs_address.rpartition(":")
        until = monotonic() + _HEAD_SECONDS
        while True:
            try:
                socket.create_connection((host.strip("[]"), int(port)), timeout=_HEAD_SECONDS).close()
                return
            except OSError as error:
                if monotonic() > until:
                    raise self.lost(error) from error
            sleep(0.5)

    def lost(self, error: BaseException) -> ClusterError:
        """Return the error for a cluster that is gone, and expect no answers of it any more."""
        if self._own:
            self._own, self.is_lost = False, True  # saying goodbye would wait until Ray ends this process
            atexit.unregister(self._ray.shutdown)
        reason = " ".join(str(error).split())[:200]
        return ClusterError(
            f"the connection to the Ray cluster {self.address} is lost ({reason}). What was encoded is kept; "
            "run the same command to continue"
        )


def _keep_others_out() -> None:
    """Let only this process and its workers use the cluster; Ray reads this when it is imported.

    Older versions of Ray let everybody in, and later ones write a token of their own to the home folder.
    """
    if not any(name.startswith("RAY_AUTH_") for name in os.environ):
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}

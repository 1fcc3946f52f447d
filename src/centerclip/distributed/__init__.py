"""Encode files on the machines of a Ray cluster: `RayEncoder`, in place of a `VideoEncoder`.

A task encodes a shard of files with an ordinary encoder and streams what is done to the driver, which alone
writes. The driver decides what is tried again, so nothing is missing and nothing is done twice in an index,
whatever worker or node is lost. Without Ray, nothing here can be imported but this file.
"""

from centerclip.distributed.cluster import Cluster
from centerclip.distributed.encoder import RayEncoder

__all__ = ["Cluster", "RayEncoder"]

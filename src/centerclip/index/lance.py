"""LanceDB, without importing its cloud client, which takes longer than everything else together."""

import os

from centerclip.lazy import postpone

postpone("lance_namespace_urllib3_client")
# It warns of empty partitions while it builds an ANN index, which says nothing to the owner of the videos.
os.environ.setdefault("LANCEDB_LOG", "error")

import lancedb  # noqa: E402

__all__ = ["lancedb"]

"""LanceDB, without importing its cloud client, which takes longer than everything else together."""

from centerclip.lazy import postpone

postpone("lance_namespace_urllib3_client")

import lancedb  # noqa: E402

__all__ = ["lancedb"]

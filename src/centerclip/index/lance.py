"""LanceDB, imported without the client of its cloud service, which takes longer than all the rest."""

from centerclip.lazy import postpone

postpone("lance_namespace_urllib3_client")

import lancedb  # noqa: E402

__all__ = ["lancedb"]

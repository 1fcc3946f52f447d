"""Videos at addresses: in object storage (`s3://`, `gs://`, `az://`) and on web servers (`http://`, `https://`).

Owns addresses, looking at what is there, listing, and reading ranges of bytes. Knows nothing of videos. All
requests are made by this process: a worker that decodes asks for bytes (`use`), and gets no credentials.
"""

from centerclip.remote.address import Address, absolute, as_place, is_address, may_exist, parse_place
from centerclip.remote.blocks import Blocks

__all__ = ["Address", "Blocks", "absolute", "as_place", "is_address", "may_exist", "parse_place"]

"""Images: bounded inspection and decoding of untrusted ones, and the specimen portrait with its encoders.

Pillow is imported only by the modules that draw or encode; inspecting and decoding do not load it.
"""

from __future__ import annotations

from eid.imaging.decode import decode_image
from eid.imaging.header import LIMITS, ImageFormat, ImageInfo, ImageLimits, inspect_image

__all__ = ["LIMITS", "ImageFormat", "ImageInfo", "ImageLimits", "decode_image", "inspect_image"]

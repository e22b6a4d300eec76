"""The printed faces of a card, drawn from one value by a layout."""

from __future__ import annotations

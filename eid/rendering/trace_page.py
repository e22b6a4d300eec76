"""The page of a live trace: one HTML document that follows the card by server-sent events, and needs no other file."""

from __future__ import annotations

from eid.rendering.page import render_template


def render_trace_page(title: str, about: tuple[tuple[str, str], ...], nonce: str) -> str:
    """The page.

    Args:
        about: (label, value) of the card, never a secret. nonce: for the page's own script.
    """
    return render_template("trace.html", title=title, about=about, nonce=nonce)

"""Specimen cards for the tests of others: a pytest plugin, and what it is made of (docs/testing.md)."""

from __future__ import annotations

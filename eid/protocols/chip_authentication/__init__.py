"""Chip Authentication version 1 (Doc 9303-11 6.2): the chip shows its static key by speaking under new keys."""

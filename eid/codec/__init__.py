"""Bytes to values and back, without meaning: nothing here verifies or trusts anything."""

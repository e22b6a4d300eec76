"""Judging evidence: named checks, folded by a named policy into one verdict. Pure: no clock, no files, no network."""

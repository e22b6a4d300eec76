"""Restricted Identification: a pseudonym for each sector (TR-03110-2 3.6, TR-03110-3 A.5, B.4)."""

"""Auxiliary data verification: the card says yes or no and keeps its data (TR-03110-3 A.7.5, B.6)."""

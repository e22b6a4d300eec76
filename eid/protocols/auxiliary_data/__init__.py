"""Auxiliary data verification: the card says yes or no and keeps its data (TR-03110-3 A.6.5, B.5)."""

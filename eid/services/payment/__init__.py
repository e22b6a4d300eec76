"""Payments for stamps, their channels, and the daily reconciliation."""

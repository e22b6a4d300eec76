"""Durable work: from the outbox to the worker that does it."""

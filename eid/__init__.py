"""Electronic identity cards: issue them, read them, verify them. See ARCHITECTURE.md for the way through."""

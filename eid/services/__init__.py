"""Use cases: each joins the parts below and owns its database transaction."""

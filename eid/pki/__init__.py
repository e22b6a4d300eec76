"""Certification authorities of identity documents: issuing, paths, revocation, trust."""

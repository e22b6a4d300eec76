"""The audit log as values: rows chained by their hashes, a Merkle tree over them, and signed tree heads.

Nothing here stores or reads anything. A chain shows that no row of one place was changed, dropped or moved; a signed
tree head, kept elsewhere, shows it even against somebody who may rewrite the whole database.
"""

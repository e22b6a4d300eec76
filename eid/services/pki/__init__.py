"""The issuing authority and the authorities of card-verifiable certificates."""

"""Cryptographic building blocks of identity documents, over `cryptography`."""

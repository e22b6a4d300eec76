"""The audit log in use, and its verification."""

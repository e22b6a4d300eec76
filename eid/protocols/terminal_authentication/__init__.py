"""Terminal Authentication: the terminal proves its rights by a chain of CV certificates (TR-03110-1 3.5, -2 3.3)."""

"""One card issued: keys, files, lock, quality check."""

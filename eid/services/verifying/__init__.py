"""Documents judged: as a service, from files, in batches."""

"""Trust stores: imported, decided upon, fetched, looked at."""

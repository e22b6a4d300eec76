"""The demonstration and the made-up country office."""

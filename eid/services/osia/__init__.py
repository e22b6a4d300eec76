"""The interfaces of OSIA over the registry."""

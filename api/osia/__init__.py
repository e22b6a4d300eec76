"""The OSIA interfaces, as the Secure Identity Alliance published them (release 7.1): one file for each of them."""

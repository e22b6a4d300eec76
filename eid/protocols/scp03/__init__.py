"""Secure Channel Protocol 03 (GPC Card Specification Amendment D v1.1.1): AES, static keys, terminal and card."""

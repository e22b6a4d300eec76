"""Long-term keys behind ports: software keys and PKCS#11 keys look the same to everyone above."""

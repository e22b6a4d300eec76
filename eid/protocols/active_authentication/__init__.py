"""Active Authentication (Doc 9303-11 6.1): the chip signs a challenge, and anybody can judge the signature later."""

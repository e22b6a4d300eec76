"""Record and profile to card image, card image to steps, steps to a card."""

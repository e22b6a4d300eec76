"""What a card product is: the profile that states it, and the card image that a profile and a record make."""

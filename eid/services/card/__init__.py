"""The card register: stock, production, delivery, and the published status of cards."""

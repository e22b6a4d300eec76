"""Chip protocols. Each package holds core (role-blind maths), messages (data objects), terminal (an Exchange), card."""

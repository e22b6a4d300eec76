"""Appointments and the sites that offer them."""

"""What must outlive a process: issued documents, personalisation jobs, the trust index, sessions, card files."""

"""From application to hand-over, as rules: what may happen to an application, a stamp, a card, and who may do it.

Everything here is a value or a function of values. National rules (ages, papers, fees, validity) are data: one TOML
file for each country below `rules/`. `eid.store` keeps the rows, `eid.services` joins the two in transactions.
"""

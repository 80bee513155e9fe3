"""The systems outside: how each is reached, whose name is whose, and what was exchanged.

Nouns: a connection (SCADA, GIS, weather, head-end, market, regulator …) with its protocol and settings, never its secret; a mapping between a thing here and its name there, with
unit and scale; an exchange, one row each time.
Verbs planned: connect, map_name, run_exchange. Reads: connections, mapping_of, exchanges_of.

What holds: an external name means one thing in its system; found = accepted + refused in every exchange; secrets are kept outside the database and only named here.
"""

"""The operations system of a utility: customers, meters, readings, rates, bills, money, network, outages, on one PostgreSQL.

The domain is the folder, Postgres is the model, Python states the rules, transport is a thin skin. Read `docs/explanation/the-house.md` for the plan of the house.
"""

__version__ = "0.1.0"

"""Rates: what a tariff says, as data, and what a reading costs under it, to the cent.

Nouns: a rate version is one dated, immutable text of a tariff; it has a calendar (time zone, seasons, day classes, schedules) and charges
in the order in which
they are evaluated; a plan is a version compiled for one billing period; determinants are what was used (energy by period, peaks); lines
are what a bill prints.

Verbs: `compile.compile_plan`, `engine.determinants`, `engine.register_determinants`, `price.price`, `explain.explain`;
`documents.to_document` and
`from_document`; `urdb.from_urdb`; `checks.check_version`; `loads.price_load`.

What holds: quantities are integers and prices decimal; a line is one multiplication and one rounding, half-up, of the quantity that is
printed; a total is the sum of
its rounded lines; a rate that cannot be priced exactly is refused with the reason; nothing here reads a clock or a database.
"""

"""The demo utility: Riverbend Public Power, an invented town made from one number, so that a stranger can run a utility before owning one.

Nouns: a plan is everything about the utility but its readings; a story is something planted at a known customer; a span is the days that
are metered. Public functions: `generate.plan`, `generate.readings`, `generate.register_reads`, `tariffs.documents`. Nothing here opens a
database.

What holds: the same seed gives the same values whatever the number of processes, chunks or customers; every name, address and price is
invented; e-mail addresses end in example.org and telephone numbers are 555-01xx. Every distribution is written down in
docs/explanation/the-demo-utility.md.
"""

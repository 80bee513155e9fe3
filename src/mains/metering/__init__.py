"""Metering: what the meters measured, how sure it is, where it came from, and what was refused.

Nouns: a channel is one measured quantity of one meter; a block is one standard-time day of a channel's intervals; a register read is an index or a usage at
an instant; a batch is one delivery; quarantine holds what was refused, with the reason and the cure.
Verbs: `importing.import_files`, `store.first_load`, `parallel.load_parallel`, `operations.register_channels`.
Reads: `load.load`, `load.load_as_of`, `load.block_fingerprints`, `registers.usage`, `queries`.

What holds: one value a channel and interval; every change keeps the old one, its delivery and its reason; a block's totals equal its values; of every delivery,
accepted + quarantined = found.
"""

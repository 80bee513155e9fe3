"""Money: a double-entry ledger that only grows, payments, what they paid, and what happens when they do not come.

Nouns: a ledger account of the chart, a ledger transaction whose entries sum to zero, a payment, its allocations to bills, an arrangement in instalments, a deposit, a
collection step.
Verbs planned: post_bill, take_payment, return_payment, refund, allocate, agree_arrangement, take_collection_step. Reads: balance_of, ageing, statement_of, unapplied.

What holds: debits are positive, credits negative, and a posting that does not balance is refused; nothing in the ledger changes, a mistake is reversed; a payment is taken once
for its idempotency key; a bill's state of payment is derived from the ledger, never stored.
"""

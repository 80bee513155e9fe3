"""Billing: from what was used to a bill that explains itself and can be made again, byte for byte, years later.

Nouns: a cycle groups agreements that are billed together; a run bills a cycle for a period; a service is one agreement and its part of the period; a segment is the part of it
that one rate version prices; a bill has lines (quantity x factor x price = amount, rounded half-up once a line), and inputs: what it was made from, frozen with their hashes;
an exception is a bill held back, with the reason and the cure.

The way of one reading: `metering` stores it in a block → `selecting` finds the agreement that is due, its meters and rate versions → `usage` loads the blocks as arrays
→ `calculating` hands them to `rates` and gets lines → `runs` writes bill, lines and inputs in one transaction → `explaining` opens a line to its readings → `verifying`
makes the bill again from the frozen inputs.

Verbs: run_cycle, cancel_bill. Reads: bill, bill_lines, bills_of_customer, open_exceptions, explain_bill, verify_bills.

What holds: one bill an agreement, period, purpose and revision, so that a run can be repeated; a day is billed once; the lines sum to the total; missing or doubtful readings hold
the bill, they never bill zero; an issued bill is never changed, only cancelled and billed again.
"""

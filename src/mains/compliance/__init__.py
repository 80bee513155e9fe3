"""What the regulators must be told: by when, from which numbers, checked how, attested by whom, sent when.

Nouns: a filing definition (a form and its layout, as data), an obligation (form and period or incident, with its deadline), a filing (a snapshot) with its cells and the results
of edit checks, a submission with its receipt.
Verbs planned: make_obligations, prepare_filing, check_filing, approve_filing, submit_filing, record_answer. Reads: open_obligations, filing, cells_of, failed_checks.

What holds: an approved filing's cells never change and neither does a submitted filing, a correction is a new revision; who attests did not prepare; every cell names its formula
and the rows behind it; "nothing to report" is said, not left empty; whether something is overdue follows from the deadline and the submissions.
"""

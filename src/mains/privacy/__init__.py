"""Who agreed to what, what was let out, what it cost in privacy, how long things are kept, and what people asked for.

Nouns: a purpose with its legal basis; a consent (dated) for a purpose and recipient; a release of figures about groups; a budget of differential privacy and its spends; a
retention rule; a privacy request.
Verbs planned: give_consent, withdraw_consent, release_aggregate, run_retention, export_person, erase_person. Reads: consents_of, releases_between, budget_left, open_requests.

What holds: one consent at a time for each customer, purpose and recipient; a release is written down before it is shown, and the same question gets the same answer; a budget
cannot be overspent, the database refuses it; releases and spends are append-only.
"""

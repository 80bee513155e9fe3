"""How much will be used, and how it is kept under the limit.

Nouns: a load curve (measured, with its completeness), a forecast as it was issued, a backtest; a programme with its caps, a demand event (a call), its participants, their
baselines and settlements; systems that take part over OpenADR, with their subscriptions and reports.
Verbs planned: forecast_load, plan_event, notify_event, opt_out, settle_event. Reads: load_between, forecast_at, programme, event_plan, baseline_of.

What holds: a forecast knows nothing that came after it was issued, and never changes; an event calls only the enrolled, for the whole of it, and nobody who is protected; a
programme has one call at a time in a zone; without data there is no dispatch; baselines and settlements are corrected by new revisions.
"""

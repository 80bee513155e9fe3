"""What is broken, whom it concerns, who repairs it and when it was over.

Nouns: an outage, its updates (the story as told) and its restoration steps; a report (call, last gasp, breaker state) and the prediction made from reports; a crew and its
assignments; a switching order; a damage assessment.
Verbs planned: report, predict, confirm, dispatch_crew, restore_step, close, merge, split, publish_update. Reads: open_outages, steps_between, reliability_between.
`outages.public_outages(utility, at)` is all that the public and the regulator see: zone, status, times, customers out rounded down to fives.

What holds: a step restores at most the customers it found out, and all steps of an outage at most those it took out; the figures of reliability come from steps alone; the status
moves only along reported, confirmed, crew_dispatched, repairing, restored, closed; a report from the same source and key is one report; a crew is in one place at a time; no
switching order runs unchecked, and the one who wrote it does not check it.
"""

"""What people are told: templates, the outbox, deliveries and subscriptions.

Nouns: a template is a text for an occasion, channel and language, in versions; a message waits in the outbox, written in the transaction of what it tells; a delivery is one try
and what became of it; a subscription says who wants to hear of what, where, and when not.
Verbs planned: write_message, claim_messages, record_delivery, subscribe, unsubscribe. Reads: waiting_messages, messages_of, subscribers_of.

What holds: one message for each person and change, by the dedupe key; a claimed message has one worker; silence has a reason; deliveries are append-only, they are the proof.
"""

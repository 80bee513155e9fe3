"""Who is served, where, under which agreement and at which rate, and what they said about it.

Nouns: a customer is a person or organisation; a premise is a place; a service point is where a commodity is handed over; a service account is a dated agreement of a customer
at a service point; a rate assignment is the rate the agreement is on; an enrolment is its part in a programme; contacts, support tickets and satisfaction surveys are what is
said between the utility and its customers.
Verbs planned: register_customer, move_in, move_out, assign_rate, enrol, open_ticket, resolve_ticket, send_survey, record_answer. Reads: customer, accounts_of, open_tickets,
satisfaction_between.

What holds: a service point has one account at a time for each commodity and role; an account has one rate at each instant; the zone that counts is the service point's; a
survey takes one answer, before it expires, and satisfaction is never taken from anything else.
Protections of customers and moratoria (protecting.py) say who may not be disconnected, from when to when.
"""

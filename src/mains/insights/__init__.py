"""What the numbers say: usage and reliability by day, key figures, and the two dashboards.

Nouns: usage analytics of a local day (sums, with means and ratios derived by the database); a key figure's definition and its values as numerator over denominator. Views:
`utility_operations_dashboard` and `utility_control_center`, one row a utility.
Verbs planned: calculate_day, calculate_kpis. Reads: dashboard, control_center, usage_between, kpi_between.

What holds: each fact is aggregated alone, for its utility, and then put beside the others; nothing divides by nothing; ratios are of sums, never means of means; the views run
with the reader's rights; they read rollups, states and the ledger, never raw readings; the clock of the database is asked in these two views and nowhere else.
"""

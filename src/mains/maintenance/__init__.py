"""Which equipment fails next, what is done about it, and whether the prediction was right.

Nouns: a condition score by a named method; a failure prediction with its model version, its inputs and, later, what happened; a work order; a replacement plan within a budget; a
transformer's thermal state and oil samples; an anomaly case.
Verbs planned: score_condition, predict_failures, close_prediction, plan_work, finish_work, plan_replacements, open_case.
Reads: worst_assets, open_predictions, calibration_between.

What holds: where data do not suffice a prediction says so and gives no number; a probability lies in its interval and names its model; a closed prediction or case says when and
what it was; scores and samples are never rewritten.
"""

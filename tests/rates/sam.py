"""The reference calculator of NREL's SAM (PySAM, Utilityrate5), asked for one year's bills of a rate in the fields of the Utility Rate Database."""

import calendar

import PySAM.Utilityrate5 as Utilityrate5

ENDLESS = 1e38
_UNITS = {"kwh": 0, "kwh daily": 2}


def _number(value):
    return float(value or 0)


def _tou(structure, units=True):
    rows = []
    for period, tiers in enumerate(structure):
        for tier, cell in enumerate(tiers):
            top = min(float(cell.get("max") or ENDLESS), ENDLESS)
            price = _number(cell.get("rate")) + _number(cell.get("adj"))
            kind = [_UNITS[str(cell.get("unit") or "kWh").lower()]] if units else []
            rows.append([period + 1, tier + 1, top, *kind, price, *([0] if units else [])])
    return rows


def _grid(grid):
    return [[int(cell) + 1 for cell in row] for row in grid]


def monthly_bills(document, kwh):
    """Twelve dicts of energy, demand, fixed, minimum and total, floats; `kwh`: 8760 × k readings of a year that begins on a Monday.

    SAM charges 365/12 days a month, so a rate per day is not comparable in `fixed`; its demand window is the reading.
    """
    model = Utilityrate5.new()
    per_hour = len(kwh) // 8760
    rates = {
        "en_electricity_rates": 1,
        "ur_metering_option": 0,
        "ur_ec_tou_mat": _tou(document["energyratestructure"]),
        "ur_ec_sched_weekday": _grid(document["energyweekdayschedule"]),
        "ur_ec_sched_weekend": _grid(document["energyweekendschedule"]),
        "ur_monthly_fixed_charge": _number(document.get("fixedchargefirstmeter"))
        * (365 / 12 if document.get("fixedchargeunits") == "$/day" else 1),
        "ur_monthly_min_charge": _number(document.get("mincharge")),
        "ur_dc_enable": 0,
        "rate_escalation": [0],
    }
    if "demandratestructure" in document or "flatdemandstructure" in document:
        flat = document.get("flatdemandstructure") or [[{"rate": 0}]]
        months = document.get("flatdemandmonths") or [0] * 12
        one = [[1] * 24 for _ in range(12)]
        rates |= {
            "ur_dc_enable": 1,
            "ur_dc_flat_mat": [
                [month, *row[1:]] for month, period in enumerate(months) for row in _tou(flat, units=False) if row[0] == int(period) + 1
            ],
            "ur_dc_tou_mat": _tou(document.get("demandratestructure") or [[{"rate": 0}]], units=False),
            "ur_dc_sched_weekday": _grid(document["demandweekdayschedule"]) if "demandweekdayschedule" in document else one,
            "ur_dc_sched_weekend": _grid(document["demandweekendschedule"]) if "demandweekendschedule" in document else one,
        }
    model.ElectricityRates.assign(rates)
    model.Lifetime.assign({"analysis_period": 1, "inflation_rate": 0, "system_use_lifetime_output": 0})
    model.SystemOutput.degradation = [0]
    model.SystemOutput.gen = [0.0] * len(kwh)
    model.Load.load = [float(value) * per_hour for value in kwh]
    model.execute(0)
    out = model.Outputs
    dc = [0.0] * 12
    if rates["ur_dc_enable"]:
        dc = [a + b for a, b in zip(out.charge_w_sys_dc_fixed_ym[1], out.charge_w_sys_dc_tou_ym[1], strict=True)]
    kinds = {
        "energy": out.charge_w_sys_ec_ym[1],
        "demand": dc,
        "fixed": out.charge_w_sys_fixed_ym[1],
        "minimum": out.charge_w_sys_minimum_ym[1],
        "total": out.utility_bill_w_sys_ym[1],
    }
    return [{kind: values[month] for kind, values in kinds.items()} for month in range(12)]


def days_in(month):
    return calendar.monthrange(2018, month)[1]

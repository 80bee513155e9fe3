"""The plan: who, where, with what; keys that agree, periods that do not overlap, everybody invented."""

import dataclasses
import re
from collections import Counter, defaultdict
from datetime import date
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from mains.demo import generate, people, places, stories, tariffs
from mains.rates.checks import check_version
from mains.rates.documents import from_document

LATER = date(9999, 1, 1)


def inside(place, outline):
    """Whether a place lies in a closed outline: an odd number of crossings to the east."""
    x, y = place
    crossings = 0
    for (x1, y1), (x2, y2) in pairwise(outline):
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) * (x2 - x1) / (y2 - y1):
            crossings += 1
    return crossings % 2 == 1


def test_the_same_seed_makes_the_same_plan_and_another_seed_another():
    first, again, other = (generate.plan(customers=60, seed=seed) for seed in (5, 5, 6))
    assert first.customers == again.customers
    assert first.loads.tobytes() == again.loads.tobytes()
    assert first.customers != other.customers


def test_a_larger_demo_only_adds(town):
    small = generate.plan(customers=60)
    for name in (
        "customers",
        "premises",
        "service_points",
        "meters",
        "installations",
        "accounts",
        "rate_assignments",
        "payment_habits",
        "nodes",
        "edges",
        "assets",
    ):
        kept, larger = getattr(small, name), getattr(town.plan, name)
        assert set(kept) <= set(larger), name
    assert {dataclasses.replace(c, index=0) for c in small.channels} <= {dataclasses.replace(c, index=0) for c in town.plan.channels}


def test_two_hundred_customers_are_of_the_stated_classes(town):
    found = Counter(c.customer_class for number, c in town.customer.items() if number <= 200)
    assert found["residential"] == 176
    assert found["commercial"] + found["public_authority"] == 21
    assert found["industrial"] == 3


def test_shares_of_services_are_near_what_is_documented():
    plan = generate.plan(customers=2000)
    at = Counter(p.commodity for p in plan.service_points if p.utility == plan.utilities[0].key)
    assert at["electric"] == 2000
    assert 0.56 <= at["gas"] / 2000 <= 0.64
    assert 0.71 <= at["water"] / 2000 <= 0.79
    cars, roofs = (sum(d.kind == kind for d in plan.devices) for kind in ("ev_charger", "pv_inverter"))
    assert 140 <= cars <= 220
    assert 90 <= roofs <= 150


def test_everybody_is_invented(town):
    for customer in town.plan.customers:
        assert re.fullmatch(r"[a-z0-9.]+@example\.org", customer.email), customer.email
        assert re.fullmatch(r"\+1(563|970)55501\d\d", customer.phone), customer.phone
    assert len({c.email for c in town.plan.customers}) == len(town.plan.customers)
    assert len(people.GIVEN) == len(set(people.GIVEN))
    assert len(people.FAMILY) == len(set(people.FAMILY))


def test_nothing_of_one_utility_names_anything_of_the_other(town):
    owner = {
        t.key: t.utility
        for name in ("zones", "customers", "premises", "service_points", "meters", "accounts")
        for t in getattr(town.plan, name)
    }
    for account in town.plan.accounts:
        assert owner[account.customer] == owner[account.service_point] == account.utility
    for hung in town.plan.installations:
        assert owner[hung.meter] == owner[hung.service_point] == hung.utility
    for premise in town.plan.premises:
        assert owner[premise.zone] == premise.utility
    assert sum(c.utility != town.riverbend for c in town.plan.customers) == generate.NEIGHBOURS


def test_keys_are_unique_and_every_reference_finds_its_thing(town):
    plan = town.plan
    for name in (
        "zones",
        "assets",
        "devices",
        "customers",
        "premises",
        "service_points",
        "meters",
        "installations",
        "accounts",
        "rate_assignments",
        "channels",
    ):
        keys = [thing.key for thing in getattr(plan, name)]
        assert len(keys) == len(set(keys)), name
    codes = {(t.utility, t.code) for t in tariffs.tariffs()}
    utility = {u.key: u.code for u in plan.utilities}
    assert {(utility[r.utility], r.rate) for r in plan.rate_assignments} <= codes
    assert {r.rate for r in generate.plan(customers=2000).rate_assignments} == {code for _, code in codes}


def test_a_service_point_has_one_account_and_an_account_one_rate_at_a_time(town):
    by_point, by_account = defaultdict(list), defaultdict(list)
    for account in town.plan.accounts:
        by_point[account.service_point].append((account.from_date, account.to_date or LATER))
    for rate in town.plan.rate_assignments:
        by_account[rate.account].append((rate.from_date, rate.to_date or LATER))
    for periods in (*by_point.values(), *by_account.values()):
        ordered = sorted(periods)
        assert all(start < end for start, end in ordered)
        assert all(a[1] <= b[0] for a, b in pairwise(ordered))
    for account in town.plan.accounts:
        rates = sorted(by_account[account.key])
        assert (rates[0][0], rates[-1][1]) == (account.from_date, account.to_date or LATER)


def test_every_place_lies_in_its_zone_and_zones_do_not_overlap(town):
    zones = {z.key: z for z in town.plan.zones}
    for premise in town.plan.premises:
        holding = [z for z in zones.values() if inside(premise.place, z.boundary)]
        assert [z.key for z in holding] == [premise.zone], premise.premise_number
    for utility in town.plan.utilities:
        assert all(inside(p.place, utility.service_area) for p in town.plan.premises if p.utility == utility.key)


def test_addresses_are_unique_in_a_town(town):
    addresses = Counter((p.utility, p.address_line, p.city) for p in town.plan.premises)
    assert max(addresses.values()) == 1


@pytest.mark.parametrize("customers", [1, 60, 2100])
def test_the_network_is_a_tree_when_ties_are_open_and_reaches_everybody(customers):
    plan = generate.plan(customers=customers)
    nodes = {n.number: n for n in plan.nodes}
    assert len(nodes) == len(plan.nodes)
    assert len({e.number for e in plan.edges}) == len(plan.edges)
    parents = defaultdict(list)
    for edge in plan.edges:
        assert edge.from_node in nodes
        assert edge.to_node in nodes
        if not edge.is_normally_open:
            parents[edge.to_node].append(edge)
    assert max(len(p) for p in parents.values()) == 1
    for point in plan.service_points:
        if point.node is None:
            continue
        at, kinds, phases = point.node, [], []
        while at in parents:
            edge = parents[at][0]
            kinds.append(edge.kind)
            phases.append(edge.phases)
            at = edge.from_node
            assert len(kinds) < 100
        assert nodes[at].kind == "source"
        assert nodes[at].utility == point.utility
        assert {"service", "transformer", "fuse", "breaker"} <= set(kinds)
        assert all(set(low) <= set(high) for low, high in pairwise(phases))
        assert point.phases == phases[0]


def test_a_works_has_three_phases_and_a_transformer_of_its_own(town):
    works = {c.number for c in town.customer.values() if c.customer_class == "industrial"}
    below = Counter(e.from_node for e in town.plan.edges if e.kind == "service")
    points = {p.service_point_number: p for p in town.plan.service_points}
    into = {e.to_node: e for e in town.plan.edges if not e.is_normally_open}
    for number in works:
        point = points[f"RE{number:06d}"]
        assert point.phases == "ABC"
        assert below[into[point.node].from_node] == 1


def test_every_story_is_planted_once_in_two_hundred_customers(town):
    told = Counter(c.story for c in town.plan.customers if c.story)
    assert told == dict.fromkeys(stories.STORIES.values(), 2)
    assert all(places.site(number).customer_class == "residential" for number in stories.STORIES)


def test_one_customer_left_and_another_moved_in_after(town):
    plan, left, mover = town.plan, town.story["final_bill"], town.story["moves_house"]
    assert left.service_status == "closed"
    old = [a for a in plan.accounts if a.customer == left.key]
    new = [a for a in plan.accounts if a.customer == mover.key and a.to_date is None]
    assert {a.to_date for a in old} == {stories.NEIGHBOUR_LEFT}
    assert {a.service_point for a in new} == {a.service_point for a in old}
    assert {a.from_date for a in new} == {stories.MOVED_IN}
    assert {a.to_date for a in plan.accounts if a.customer == mover.key and a not in new} == {stories.MOVED_OUT}


def test_an_exchanged_meter_comes_off_when_the_new_one_goes_on(town):
    customer = town.story["meter_exchange"]
    point = next(a.service_point for a in town.plan.accounts if a.customer == customer.key and a.commodity == "electric")
    old, new = sorted((i for i in town.plan.installations if i.service_point == point), key=lambda i: i.from_at)
    assert old.to_at == new.from_at == stories.exchange_at("America/Chicago")
    assert new.to_at is None
    assert (old.reason, new.reason) == ("new", "exchange")


def test_a_rate_was_switched_and_a_price_changed_in_the_span(town):
    account = next(a for a in town.plan.accounts if a.customer == town.story["rate_switch"].key and a.commodity == "electric")
    assert [(r.rate, r.to_date) for r in town.plan.rate_assignments if r.account == account.key] == [
        ("RS-1", stories.RATE_SWITCH),
        ("RS-TOU", None),
    ]
    changed = [t.code for t in tariffs.tariffs() if len(t.versions) == 2]
    assert changed == ["RS-1", "RS-TOU"]
    assert all(
        t.versions[0].effective_to == t.versions[1].effective_from == date(2026, 7, 1) for t in tariffs.tariffs() if t.code in changed
    )


def test_every_tariff_is_sound_and_survives_as_a_document():
    for tariff, document in zip(tariffs.tariffs(), tariffs.documents(), strict=True):
        for version, text in zip(tariff.versions, document["versions"], strict=True):
            assert check_version(version) == ()
            assert from_document(text) == version
            assert all(charge.clause for charge in version.charges)


def test_a_demo_needs_a_customer():
    with pytest.raises(ValueError, match="at least one"):
        generate.plan(customers=0)


def test_gas_has_a_heat_content_for_every_month_of_the_span():
    heat = tariffs.heat_contents()
    assert (heat[0][0], heat[-1][1]) == (date(2025, 10, 1), date(2026, 11, 1))
    assert all(Decimal("1.02") < value < Decimal("1.05") for _, _, value in heat)
    assert all(a[1] == b[0] for a, b in pairwise(heat))


def test_the_page_about_the_demo_names_every_story_and_every_rate():
    page = (Path(__file__).parents[2] / "docs/explanation/the-demo-utility.md").read_text()
    rows = {tuple(cell.strip() for cell in line.split("|")[1:3]) for line in page.splitlines() if line.startswith("|")}
    assert {(str(number), story) for number, story in stories.STORIES.items()} <= rows
    assert all(tariff.code in page for tariff in tariffs.tariffs())
    assert str(generate.DEFAULT_SEED) in page

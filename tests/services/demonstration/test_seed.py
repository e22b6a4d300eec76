"""The made-up office: whoever is in it is marked SPECIMEN, and stands where he should."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date
from random import Random

from eid.enrolment.person import decode_person, find_faults, find_missing
from eid.enrolment.rules import load_rules
from eid.services.demonstration.people import People, load_made_up_office
from eid.services.demonstration.seed import CARDS, WEIGHTS, plan_goals
from eid.store.application_tables import application, person
from eid.store.appointment_tables import site
from eid.store.database import open_database
from reader_tools.main import run

TODAY = date(2026, 11, 22)


def test_people_are_complete_and_marked():
    office, rules = load_made_up_office("morocco"), load_rules("morocco").rules
    people = People(office, rules, Random(1), TODAY)
    made = [decode_person(people.invent()) for _ in range(200)]
    for record in made:
        assert record.specimen
        assert record.family_name is not None
        assert {script: text.split()[-1] for script, text in record.family_name.by_script.items()} == office.mark
        assert find_missing(record, rules, TODAY) == frozenset()
        assert find_faults(record, rules, TODAY, abroad=False) == ()
    assert len({record.personal_number for record in made}) == 200
    same, other = (People(office, rules, Random(seed), TODAY) for seed in (1, 2))
    assert decode_person(same.invent()) == made[0] != decode_person(other.invent())


def test_every_state_and_few_cards():
    assert set(plan_goals(len(WEIGHTS), Random(1))) == set(WEIGHTS)
    goals = Counter(plan_goals(3000, Random(1)))
    written = sum(goals[name] for name in ("in-production", "produced", "shipped", "ready", "delivered"))
    assert written == CARDS
    assert goals["booked"] > goals["cancelled"] > 0
    assert len(plan_goals(3, Random(1))) == 3


def test_a_small_office(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("EID_HOME", str(tmp_path))
    monkeypatch.setattr(
        "eid.services.demonstration.seed.WEIGHTS", {"validated": 1, "booked": 1, "withdrawn": 1, "captured": 1}
    )
    assert run(["seed", "--applications", "4", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["applications"] == {"BOOKED": 1, "CAPTURED": 1, "VALIDATED": 1, "WITHDRAWN": 1}
    engine = open_database(f"sqlite:///{tmp_path}/eid.db")
    with engine.connect() as connection:
        records = [row.record for row in connection.execute(person.select())]
        assert len(records) == 4
        assert all(record["specimen"] for record in records)
        assert len(connection.execute(site.select()).all()) == len(load_made_up_office("morocco").site) == made["sites"]
        assert all(row.site for row in connection.execute(application.select()))
    engine.dispose()

"""People of a made-up country office: believable names in both scripts, every one marked SPECIMEN, nobody real."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random
from typing import Any, Final

FAMILIES: Final = (
    ("العلمي", "EL ALAMI"), ("بناني", "BENNANI"), ("التازي", "TAZI"), ("الإدريسي", "EL IDRISSI"),
    ("الفاسي", "EL FASSI"), ("برادة", "BERRADA"), ("الشرايبي", "CHRAIBI"), ("أمزيان", "AMEZIANE"),
    ("أوشن", "OUCHEN"), ("الزهراوي", "ZAHRAOUI"), ("بوعزة", "BOUAZZA"), ("المنصوري", "EL MANSOURI"),
    ("الصقلي", "SQALLI"), ("حجي", "HAJJI"), ("لمراني", "LAMRANI"), ("أيت لحسن", "AIT LAHCEN"),
)  # fmt: skip
WOMEN: Final = (
    ("فاطمة الزهراء", "FATIMA ZAHRA"), ("خديجة", "KHADIJA"), ("سلمى", "SALMA"), ("نادية", "NADIA"),
    ("إيمان", "IMANE"), ("هاجر", "HAJAR"), ("مريم", "MERYEM"), ("زينب", "ZINEB"), ("أسماء", "ASMAE"),
)  # fmt: skip
MEN: Final = (
    ("محمد", "MOHAMMED"), ("يوسف", "YOUSSEF"), ("أحمد", "AHMED"), ("عمر", "OMAR"), ("حمزة", "HAMZA"),
    ("إدريس", "DRISS"), ("رشيد", "RACHID"), ("المهدي", "EL MEHDI"), ("كريم", "KARIM"),
)  # fmt: skip
TOWNS: Final = (
    ("الرباط", "RABAT"), ("الدار البيضاء", "CASABLANCA"), ("فاس", "FES"), ("مراكش", "MARRAKECH"),
    ("تطوان", "TETOUAN"), ("أكادير", "AGADIR"), ("وجدة", "OUJDA"), ("العيون", "LAAYOUNE"),
)  # fmt: skip
MARK: Final = ("عينة", "SPECIMEN")
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class People:
    """Invents one person after another. choose: which repeats itself with the same seed."""

    def __init__(self, choose: Random, today: date) -> None:
        self._choose, self._today, self._made = choose, today, 0
        self._letters = "".join(choose.choices(_LETTERS, k=2))
        self._first = choose.randrange(100_000, 400_000)

    def invent(self) -> dict[str, Any]:
        """The record of an adult (JSON of `eid.enrolment.person`), with a number that nobody else of these has."""
        choose = self._choose
        self._made += 1
        family, town = choose.choice(FAMILIES), choose.choice(TOWNS)
        is_woman = choose.random() < 0.5
        born = self._today - timedelta(days=choose.randrange(19 * 366, 85 * 365))
        street = choose.randrange(1, 180)
        return {
            "specimen": True,
            "family_name": _both(family, MARK),
            "given_names": _both(choose.choice(WOMEN if is_woman else MEN)),
            "date_of_birth": born.isoformat(),
            "place_of_birth": _both(town),
            "country_of_birth": "MAR",
            "sex": "F" if is_woman else "M",
            "nationality": "MAR",
            "personal_number": f"{self._letters}{self._first + self._made}",
            "father": _both(choose.choice(MEN), family),
            "mother": _both(choose.choice(WOMEN), choose.choice(FAMILIES)),
            "civil_status": {"number": f"{choose.randrange(1, 2000)}/{born.year}", "year": born.year},
            "address": {
                "lines": {"arabic": f"{street} زنقة العينة\n{town[0]}", "latin": f"{street} RUE SPECIMEN\n{town[1]}"},
                "country": "MAR",
            },
            "contact": {"phone": f"+2126000{choose.randrange(10**5):05d}"},
        }


def _both(*names: tuple[str, str]) -> dict[str, str]:
    return {"arabic": " ".join(name[0] for name in names), "latin": " ".join(name[1] for name in names)}

"""Invented people and organisations: names of many origins put together by chance, e-mail at example.org, telephones 555-01xx."""

import unicodedata
from dataclasses import dataclass
from random import Random

from mains.demo.chance import pick

_GIVEN_TEXT = (
    "Amara Amelia Ana Anders Andre Anika Anjali Arturo Aisha Beatriz Ben Bianca Birgit Bram Brianna Caleb Camila Carmen Cedric Chiara "
    "Chidi Clara Colin Dalia Damir Daniela Darius David Deepa Diego Dina Dmitri Eleanor Elias Elena Emeka Emil Emma Enrique Esther "
    "Ethan Fatima Felix Fiona Francois Freya Gabriel Grace Greta Hana Hassan Helen Henrik Hiro Hugo Ibrahim Imani Ingrid Irene Isaac "
    "Isabel Ivan Jamal Jana Jasper Jia Joao Johanna Jonas Josephine Juan Julia Kai Kamala Karim Katarina Keiko Kenji Kofi Kwame Lars "
    "Layla Leila Leon Liam Linh Lucas Lucia Magdalena Mai Malik Marcus Margit Maria Mateo Maya Mei Mikael Mina Mira Miriam Nadia Naomi "
    "Natasha Neha Nils Nina Noah Nora Olga Oliver Olu Omar Oscar Paloma Patrick Paul Pedro Petra Priya Quinn Rafael Rahul Ravi Rebecca "
    "Renata Rosa Ruben Ruth Sabine Salma Samir Samuel Sanjay Sara Sean Selma Sofia Soren Stefan Sunita Tamsin Tariq Teresa Thandi Theo "
    "Thomas Tomas Uma Valentina Vera Viktor Wanjiru Wei Wendy William Ximena Yara Yasmin Yosef Yuki Zainab Zoe Zoltan"
)
GIVEN = tuple(_GIVEN_TEXT.split())
_FAMILY_TEXT = (
    "Abara Abbott Achebe Aguilar Ahlberg Ahmadi Aldana Almeida Andersen Asante Bakker Banerjee Barros Becker Bello Benali Berg Bergeron "
    "Bianchi Boateng Bondar Brandt Brennan Calloway Campos Carrillo Castellan Chaudhry Chen Clarke Contreras Cormier Costa Dahl Dang "
    "Danso Delgado Desai Diallo Dimitrov Donnelly Dorsey Dubois Dvorak Eklund Endo Escobar Esposito Fairbanks Farah Feldman Fischer "
    "Flores Fontaine Forsberg Fraser Fujita Gallagher Gupta Haddad Halvorsen Hansen Hartley Hashimoto Hoang Hoffmann Holloway Horvat "
    "Ibarra Idowu Ilves Ito Ivanov Jansen Jaramillo Jensen Johansson Kamau Kaplan Karlsson Kaur Keane Khalil Khatri Kim Kimura Kowalski "
    "Kruger Kumar Lakatos Larsen Laurent Lindqvist Lombardi Lopez Lund MacRae Malik Mancini Marchetti Mbeki Mendes Mensah Meyer Mishra "
    "Molina Moreau Mori Mwangi Nakamura Navarro Nguyen Nielsen Novak Nowak Obi Okafor Okoro Oliveira Olsen Ortega Osei Pacheco Palmer "
    "Papadakis Patel Pereira Petrov Pham Pinto Popescu Prescott Qureshi Quintero Ramos Rao Rasmussen Reyes Rinaldi Rocha Rossi Rousseau "
    "Sadowski Saito Salazar Sandoval Santos Schneider Sethi Shah Sharma Silva Sorensen Soto Stein Suarez Sundaram Svensson Tanaka Tembo "
    "Thorne Torres Toure Tran Trujillo Tsai Ueda Vargas Vasquez Vega Vidal Vo Wagner Wallace Wang Weber Whitfield Winther Wolff Yamada "
    "Yilmaz Zamora Zhang Zielinski Zuniga"
)
FAMILY = tuple(_FAMILY_TEXT.split())
_TRADES: dict[str, tuple[str, ...]] = {
    "shop": ("Hardware", "Books", "Outfitters", "Cycles", "Florist", "Pharmacy", "Auto Parts", "Furniture"),
    "office": ("Insurance", "Law Office", "Accounting", "Architects", "Realty", "Engineering", "Title Company"),
    "restaurant": ("Kitchen", "Diner", "Pizzeria", "Cafe", "Grill", "Bakery", "Taproom"),
    "grocery": ("Market", "Foods", "Grocery"),
    "school": ("Elementary School", "Middle School", "Academy"),
    "clinic": ("Family Clinic", "Dental Care", "Veterinary Clinic", "Eye Care"),
    "warehouse": ("Storage", "Logistics", "Supply", "Distribution"),
    "church": ("Community Church", "Chapel", "Fellowship Hall", "Temple"),
    "one_shift": ("Millwork", "Machine Works", "Tool & Die", "Castings"),
    "two_shifts": ("Plastics", "Packaging", "Stampings", "Foods Plant"),
    "three_shifts": ("Paper Mill", "Cold Storage", "Glass Works", "Grain Processing"),
}
_LANGUAGES = (("en", 0.88), ("es", 0.09), ("vi", 0.02), ("fr", 0.01))


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who is written to: a person's or an organisation's name, an address at example.org, a number 555-01xx, a BCP 47 language."""

    full_name: str
    email: str
    phone: str
    language: str


def _ascii(text: str) -> str:
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


def _phone(source: Random, area: str) -> str:
    return f"+1{area}55501{source.randrange(100):02d}"


def person(source: Random, *, number: int, area: str) -> Person:
    """A person; the customer's number keeps the e-mail address apart from a namesake's."""
    given, family = source.choice(GIVEN), source.choice(FAMILY)
    return Person(
        full_name=f"{given} {family}",
        email=f"{_ascii(given)}.{_ascii(family)}.{number}@example.org".lower(),
        phone=_phone(source, area),
        language=str(pick(source, _LANGUAGES)[0]),
    )


def organisation(source: Random, *, number: int, area: str, life: str, town: str) -> Person:
    """A business, school or works; `life` is its way of life in `shapes.ACTIVITY`."""
    first = town if source.random() < 0.3 else source.choice(FAMILY)
    name = f"{first} {source.choice(_TRADES[life])}"
    mailbox = "".join(c for c in _ascii(name).lower() if c.isalnum())
    return Person(full_name=name, email=f"office.{mailbox}.{number}@example.org", phone=_phone(source, area), language="en")

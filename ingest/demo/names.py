"""Made-up companies, people and addresses, from word lists.

No real company or person is meant; mail domains end in .example, so that no mail can ever reach anybody.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from ingest.demo.dice import Dice


class Locale:
    """Words of one way of naming companies, people and streets."""

    def __init__(
        self, *, name: str, first: str, second: str, form: str, line: str, street: str, person: str
    ) -> None:
        """`name` and `line` are patterns of a company and a street, the others choices parted by " | "."""
        self.name, self.line = name, line
        self.first, self.second, self.form = first.split(" | "), second.split(" | "), form.split(" | ")
        self.street, self.person = street.split(" | "), person.split(" | ")


EN = Locale(
    name="{first} {second} {form}",
    first=(
        "Quiet Lantern | Copper Heron | Paper Orchard | Salt Meadow | Velvet Anchor | Thistle Bay | Amber "
        "Kettle | Grey Wren | Hollow Oak | Tin Sparrow | Long Ladder | Marble Fox | Cedar Loop | Twelve "
        "Gates | Windmill Lane | Plum Harbour | Second Tide | Red Bicycle | Northpaw | Glass Otter"
    ),
    second=(
        "Analytics | Robotics | Health | Logistics | Studios | Learning | Insurance | Foods | Energy | "
        "Legal | Travel | Labs | Retail | Biotech"
    ),
    form="Inc. | LLC | Ltd | Group",
    line="{n} {street}",
    street="Mill Road | Orchard Street | Canal Walk | Station Road | Juniper Avenue",
    person=("Morgan Ellery | Priya Nandakumar | Tom Abernathy | Ada Okonjo | Grace Whitlam | Luis Ferrante"),
)
DE = Locale(
    name="{first} {second} {form}",
    first=(
        "Falkenbrück | Birkengrund | Grünwasser | Sternmühl | Möwenfels | Lindenhöfer | Kranichtal | "
        "Rabenstieg | Silberbach | Haselbrunn | Königsweiler | Moosrainer"
    ),
    second=(
        "Datentechnik | Logistik | Werkzeugbau | Medien | Messtechnik | Versand | Gesundheit | Softwarehaus"
    ),
    form="GmbH | AG | GmbH & Co. KG",
    line="{street} {n}",
    street="Mühlenstraße | Am alten Speicher | Lindenallee | Hafenstraße",
    person="Jürgen Weiß | Anneliese Größer | Käthe Möllenbrock | Sören Düvel",
)
FR = Locale(
    name="{first} {second} {form}",
    first=(
        "Forêt Bleue | Petit Phare | Lune d'Été | Clé de Voûte | Rivière Haute | Côte Sauvage | Éclat du "
        "Nord | Quai des Brumes | Grain de Sel | Trois Châtaigniers | Hêtre Pourpre | Belle Écluse"
    ),
    second="Analytique | Logistique | Santé | Éditions | Énergie | Voyages | Ateliers | Numérique",
    form="SAS | SARL | SA",
    line="{n} {street}",
    street="rue de l'Écluse | avenue des Tilleuls | quai Sainte-Anne | impasse du Moulin",
    person="Hélène Château | François Lefèvre | Noémie Crêpeau | Anaïs Buîche",
)
ES = Locale(
    name="{first} {second} {form}",
    first=(
        "Río Manso | Peña Alta | Dos Cigüeñas | Almendro Viejo | Bahía Serena | Olivar del Niño | Camino "
        "Añil | Piedra Azul"
    ),
    second="Analítica | Logística | Salud | Energía | Educación | Comercio | Viajes",
    form="S.L. | S.A.",
    line="{street} {n}",
    street="calle del Peñón | avenida de la Montaña | paseo del Río",
    person="Begoña Ibáñez | Íñigo Muñoz | Lucía Peñalver | Ramón Güell",
)
JA = Locale(
    name="{form}{first}{second}",
    first=(
        "雲海 | 若竹 | 夕凪 | 藍染 | 水無月 | 山吹 | 風鈴 | 霧野 | "
        "星見 | 花筏 | 木洩 | 白波 | 月待 | 朝露 | 青嵐 | 雪灯"
    ),
    second="テック | 商店 | データ | 食堂 | 書房 | 製作所 | トラベル | ソリューションズ | フーズ | デザイン",
    form="株式会社 | 合同会社",
    line="{street}{n}番地",
    street="桜坂町 | 雲見町 | 若葉台 | 月影通り",
    person="山之内 遥 | 小鳥遊 健 | 五十嵐 美咲 | 東雲 翔太",
)
NORDIC = Locale(
    name="{first} {second} {form}",
    first=(
        "Blåfjell | Snøhare | Åsgløtt | Skärgårds | Järnbjörk | Kråkenes | Lövsång | Myrhøne | Hämärä | "
        "Ylänkö | Ruskavuori"
    ),
    second="Analyse | Logistikk | Energi | Media | Hälsa | Data | Robotikk",
    form="AS | AB | Oy",
    line="{street} {n}",
    street="Sjøgata | Björkvägen | Kråkeveien | Mäkitie",
    person="Åse Brønnøy | Örjan Sjöqvist | Päivi Hämäläinen | Bjørn Ødegård",
)
GULF = Locale(
    name="{first} {second} {form}",
    first="Pearl Dunes | White Sail | Seven Palms | Desert Lantern | Blue Dhow | Golden Reef",
    second="Trading | Retail | Foods | Travel | Payments | Electronics",
    form="W.L.L. | K.S.C.C.",
    line="Building {n}, {street}",
    street="Block 4, Street 12 | Block 7, Street 3 | Block 1, Coast Road",
    person="Noura Al-Sample | Yousef Al-Example | Dana Al-Model",
)
IT = Locale(
    name="{first} {second} {form}",
    first="Ponte Vecchiano | Lago Sereno | Corte Verde | Più Avanti | Città Alta | Gelso Bianco",
    second="Logistica | Dati | Energia | Sanità | Editoria",
    form="S.r.l. | S.p.A.",
    line="{street} {n}",
    street="via del Gelso | piazza della Libertà | corso Più",
    person="Nicolò Benincà | Matilde Forzà | Elia Perù",
)


@dataclass(frozen=True)
class Place:
    """Where a customer sits: country and region codes, town, IANA time zone, language, locale of names."""

    country: str
    region: str | None
    city: str
    postal_code: str
    timezone: str
    language: str
    locale: Locale
    eu: bool = False


def place(code: str) -> Place:
    """One place of `PLACES`."""
    return PLACES[code]


PLACES: dict[str, Place] = {
    "us-ny": Place("US", "NY", "Brooklyn", "11201", "America/New_York", "en", EN),
    "us-tx": Place("US", "TX", "Austin", "78701", "America/Chicago", "en", EN),
    "us-co": Place("US", "CO", "Denver", "80202", "America/Denver", "en", EN),
    "us-wa": Place("US", "WA", "Seattle", "98101", "America/Los_Angeles", "en", EN),
    "us-ca": Place("US", "CA", "Oakland", "94607", "America/Los_Angeles", "en", EN),
    "us-hi": Place("US", "HI", "Honolulu", "96813", "Pacific/Honolulu", "en", EN),
    "ca-on": Place("CA", "ON", "Toronto", "M5V 2T6", "America/Toronto", "en", EN),
    "ca-qc": Place("CA", "QC", "Montréal", "H2Y 1C6", "America/Toronto", "fr", FR),
    "gb": Place("GB", None, "Leeds", "LS1 4AP", "Europe/London", "en", EN),
    "ie": Place("IE", None, "Cork", "T12 X8K7", "Europe/Dublin", "en", EN, eu=True),
    "in": Place("IN", "KA", "Bengaluru", "560001", "Asia/Kolkata", "en", EN),
    "au": Place("AU", "NSW", "Sydney", "2000", "Australia/Sydney", "en", EN),
    "mx": Place("MX", "CMX", "Ciudad de México", "06000", "America/Mexico_City", "es", ES),
    "br": Place("BR", "SP", "São Paulo", "01000-000", "America/Sao_Paulo", "en", EN),
    "de": Place("DE", "BE", "Berlin", "10115", "Europe/Berlin", "de", DE, eu=True),
    "at": Place("AT", None, "Graz", "8010", "Europe/Vienna", "de", DE, eu=True),
    "ch": Place("CH", None, "Zürich", "8001", "Europe/Zurich", "de", DE),
    "fr": Place("FR", None, "Nantes", "44000", "Europe/Paris", "fr", FR, eu=True),
    "be": Place("BE", None, "Liège", "4000", "Europe/Brussels", "fr", FR, eu=True),
    "es": Place("ES", None, "Valencia", "46001", "Europe/Madrid", "es", ES, eu=True),
    "es-cn": Place("ES", "CN", "Las Palmas", "35001", "Atlantic/Canary", "es", ES, eu=True),
    "it": Place("IT", None, "Bologna", "40121", "Europe/Rome", "en", IT, eu=True),
    "no": Place("NO", None, "Ålesund", "6002", "Europe/Oslo", "en", NORDIC),
    "se": Place("SE", None, "Malmö", "211 19", "Europe/Stockholm", "en", NORDIC, eu=True),
    "fi": Place("FI", None, "Jyväskylä", "40100", "Europe/Helsinki", "en", NORDIC, eu=True),
    "jp-tk": Place("JP", "13", "東京都", "150-0000", "Asia/Tokyo", "ja", JA),
    "jp-os": Place("JP", "27", "大阪市", "530-0000", "Asia/Tokyo", "ja", JA),
    "jp-fk": Place("JP", "40", "福岡市", "810-0000", "Asia/Tokyo", "ja", JA),
    "kw": Place("KW", None, "Kuwait City", "13001", "Asia/Kuwait", "en", GULF),
}


def company_name(locale: Locale, dice: Dice, taken: set[str]) -> str:
    """A name nobody has yet; it is added to `taken`."""
    while True:
        name = locale.name.format(
            first=dice.pick(locale.first), second=dice.pick(locale.second), form=dice.pick(locale.form)
        )
        if name in taken:
            # every first word meets every second and form before numbers are needed
            name = f"{name} {dice.one(2, 9999)}" if dice.chance(200_000) else name
        if name not in taken:
            taken.add(name)
            return name


def domain(name: str, customer_id: str) -> str:
    """A mail domain that can never deliver: of the reserved top-level domain .example."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = re.findall(r"[a-z0-9]+", plain)[:2]
    return f"{'-'.join(words) or customer_id}.example"


def address(place: Place, dice: Dice) -> list[str]:
    """Street and town, as written there."""
    street = place.locale.line.format(n=dice.one(1, 180), street=dice.pick(place.locale.street))
    if place.language == "ja":
        return [f"〒{place.postal_code}", f"{place.city}{street}"]
    if place.country in ("US", "CA", "AU"):
        return [street, f"{place.city}, {place.region} {place.postal_code}"]
    if place.country in ("GB", "IE", "IN", "KW"):
        return [street, place.city, place.postal_code]
    return [street, f"{place.postal_code} {place.city}"]

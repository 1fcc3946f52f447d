"""Queries in other languages are noticed, English ones with foreign names are not."""

import pytest

from centerclip.model.registry import MULTILINGUAL_MODEL
from centerclip.search import language_note, parse_query
from centerclip.search.languages import looks_foreign

FOREIGN = (
    """
ein Hund fängt eine Frisbee | Hund am Strand | zwei Männer spielen Schach | Katze | Kinder im Schnee und Eis
| un chien attrape un frisbee | coucher de soleil sur la mer | une femme cuisine |
un perro atrapa un frisbee | perro en la playa | puesta de sol en el mar | dos hombres juegan al ajedrez |
um cachorro pega um frisbee | pôr do sol no mar | due uomini giocano a scacchi | tramonto sul mare |
een hond vangt een frisbee | pies na plaży | zachód słońca nad morzem | en hund fångar en frisbee |
bir köpek frizbi yakalıyor | hai người đàn ông chơi cờ | seekor anjing menangkap frisbee |
lapset leikkivät lumessa | dva muži hrají šachy | doi bărbați joacă șah | két férfi sakkozik |
børn leger i sneen | собака ловит фрисби | σκύλος στην παραλία | كلب على الشاطئ | 海边的狗 |
犬がフリスビーを取る | 해변의 개 | कुत्ता समुद्र तट पर | CEO в офисе говорит | Москва river
""".strip()
    .replace("\n", " ")
    .split(" | ")
)
ENGLISH = (
    """
7 + 3 | dog | a video of José at the café | Bundestag debate | Los Angeles at night | La La Land | El Niño |
Das Boot | Rio de Janeiro carnival | Tour de France | Casa de la Musica | Juan de la Cruz |
Ludwig van Beethoven | Leonardo da Vinci | Cirque du Soleil | crème brûlée | jalapeño piñata party |
San Juan de los Lagos | Dia de los Muertos | Playa del Carmen | Unter den Linden | MIT lecture | EN 1090 |
Uma Thurman | Adam Driver | auto show | Las Palmas de Gran Canaria | C'est la vie | déjà vu | tête-à-tête |
Schadenfreude | Björk concert | Recep Tayyip Erdoğan | São Paulo | Hà Nội street food | phở |
someone cooks paella in a Spanish kitchen | die cast car | barn | a cuisine | tennis court | springer |
the sign says Straße and Küche und Haus | pies | rouge | ein Stein | a street in Москва
""".strip()
    .replace("\n", " ")
    .split(" | ")
)


@pytest.mark.parametrize("query", FOREIGN)
def test_other_languages_are_noticed(query: str) -> None:
    assert looks_foreign([query])


@pytest.mark.parametrize("query", ["", *ENGLISH])
def test_english_with_names_is_not(query: str) -> None:
    assert not looks_foreign([query])


def test_terms_are_judged_together() -> None:
    note = language_note(parse_query("Strand + Sonnenuntergang - Hund"), "nano")
    assert "nano knows only English" in note
    assert MULTILINGUAL_MODEL in note
    assert not language_note(parse_query("beach + the Hund und Katze - people"), "nano")


def test_only_models_known_to_know_only_english_get_a_note() -> None:
    query = parse_query("ein Hund am Strand")
    assert language_note(query, "facebook/PE-Core-B16-224")
    for other in (MULTILINGUAL_MODEL, "somebody/clip", "/models/mine", ""):
        assert language_note(query, other) == ""

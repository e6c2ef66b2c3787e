"""What a speaker says for what is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triscribe_align import description
from triscribe_align.spoken import UNSPELLABLE, Reader

from .conftest import SOURCE


@pytest.fixture(scope="module")
def reader():
    import tomllib

    table = tomllib.loads((SOURCE / "en" / "aligner.toml").read_text())
    return Reader(description.text_of(table), "en")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("Hello,", "hello"),
        ("don’t", "don't"),
        ("well-known", "well known"),
        ("42%", "forty two percent"),
        ("2025,", "twenty twenty five"),
        ("$3.50", "three dollars and fifty cents"),
        ("$1", "one dollar"),
        ("£2", "two pounds"),
        ("3:30pm", "three thirty p. m."),
        ("3:05", "three oh five"),
        ("10:00", "ten"),
        ("21st", "twenty first"),
        ("1990s", "nineteen nineties"),
        ("1,000,000", "one million"),
        ("3.14", "three point one four"),
        ("-5", "minus five"),
        ("10–20", "ten to twenty"),
        ("007", "zero zero seven"),
        ("café", "cafe"),
        ("naïve", "naive"),
        ("Dr.", "doctor"),
        ("U.S.", "u. s."),
        ("FBI", "f. b. i."),
        ("AT&T", "a. t. and t."),
        ("COVID-19", "covid nineteen"),
        ("5km", "five kilometers"),
        ("example.com", "example dot com"),
        ("½", "one half"),
        ("&", "and"),
        ("—", ""),
        ("...", ""),
    ],
)
def test_first_reading(reader, written, said):
    assert " ".join(reader.readings(written)[0]) == said


@pytest.mark.parametrize(
    ("written", "also"),
    [
        ("2025", "two thousand and twenty five"),
        ("911", "nine one one"),
        ("350", "three fifty"),
        ("$3", "three"),
        ("NASA", "nasa"),
        ("$3.50", "three fifty"),
        ("555-1234", "five five five one two three four"),
    ],
)
def test_other_readings(reader, written, also):
    assert also in [" ".join(reading) for reading in reader.readings(written)]


def test_another_script_is_not_spelt(reader):
    assert reader.readings("Москва") == ((UNSPELLABLE,),)


@given(st.text(max_size=30))
def test_any_text_has_at_least_one_reading(reader, written):
    readings = reader.readings(written)
    assert readings
    assert all(word and not any(c.isspace() for c in word) for reading in readings for word in reading)

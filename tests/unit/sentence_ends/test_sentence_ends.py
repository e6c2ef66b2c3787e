import re
import tomllib
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentence_ends import sentence_ends


def parted(text):
    """The words of a text, each with the space before it."""
    return re.findall(r"\s*\S+", text)


def marked(text, language):
    """The text with a bar after each sentence but the last."""
    parts = parted(text)
    ends = sentence_ends(parts, language)
    return "".join(f"{part}|" if end else part for part, end in zip(parts, ends, strict=True)).removesuffix("|")


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "I met Mr. Jones yesterday."),
        ("en", "Ask Dr. Smith or Prof. Brown."),
        ("en", "Come at 5 p.m. today."),
        ("en", "The U.K. and France agreed."),
        ("en", "The U.S. Army left."),
        ("en", "Acme Inc. said so."),
        ("en", "It is No. 5 Main Street."),
        ("en", "See Fig. 2 Below."),
        ("en", "Take e.g. this one."),
        ("en", "Take e.g. London."),
        ("en", "Written by J. Smith."),
        ("en", "Written by J. R. R. Tolkien."),
        ("en", "It is 3.14 exactly."),
        ("en", "Martin Luther King Jr. Day is in January."),
        ("en", "Well… and then it rained."),
        ("de", "Das geht z.B. heute."),
        ("de", "Das geht z. B. Montag."),
        ("de", "Wir kamen am 3. Mai an."),
        ("de", "Nach dem II. Weltkrieg war es 500 n. Chr. Geburt."),
        ("de", "Frau Dr. Meier sagt, d. h. Meier meint, ja."),
        ("fi", "Tulimme 3. Toukokuuta."),
        ("fr", "Voici M. Dupont."),
        ("es", "Vino el Sr. López."),
        ("ru", "Приду, т.е. завтра."),
        ("ru", "Приду, т. е. Завтра."),
        ("ru", "Это проф. Иванов."),
        ("he", "כתב א. ב. יהושע."),
        ("hi", "यह डॉ. शर्मा हैं।"),
        ("sv", "Här är Mr. Smith."),
        (None, "Dr. Smith"),
    ],
)
def test_an_abbreviation_ends_no_sentence(language, text):
    assert marked(text, language) == text


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "He left at 5 p.m.| She stayed until 6 a.m.| Then it rained."),
        ("en", "No.| I will not."),
        ("en", "OK.| Let us go.| Come on, Ed.| Now."),
        ("en", "It is I.| He came."),
        ("en", "Really?!| Yes."),
        ("en", "Wait…| Yes.| Hm...| No."),
        ("en", 'He said "Go."| Then he left.'),
        ("en", "He said “Go!”| (Then he left.)| “Why?”| Who knows."),
        ("en", "It was 1990.| Dann came 3.| Then 4."),
        ("de", "Da kam er.| Das war es.| Gut so.| Schluss."),
        ("de", "Er kam 1990.| Dann ging er."),
        ("es", "Bien.| Vamos."),
        ("fr", "Il y en a.| Mais non."),
        ("fr", "Il dit : « Oui. »| Elle : « Non ! »| Puis rien."),
        ("pt", "Eu sei o que é.| Ele não."),
        ("ru", "Это был я.| Она знала и т.д.| Потом ушла."),
        ("el", "Τι κάνεις;| Καλά."),
        ("ar", "هل أنت هنا؟| نعم."),
        ("ko", "안녕하세요.| 네."),
        ("hi", "वह गया।| वह आया।"),
        ("bo", "བཀྲ་ཤིས།| བདེ་ལེགས།"),
        ("my", "ကောင်းတယ်။| ဟုတ်တယ်။"),
        ("xx", "One.| Two."),
        ("../en", "One.| Two."),
    ],
)
def test_other_stops_do(language, text):
    assert marked(text.replace("|", ""), language) == text


@pytest.mark.parametrize(
    ("parts", "ends"),
    [
        (["好", "。", "你"], [False, True, True]),
        (["他", "说", "：", "“", "好", "。", "”", "然后", "走"], [False] * 6 + [True, False, True]),
        (["你好.", " 我"], [True, True]),
        (["好.", " 我"], [True, True]),
        (["「はい。」", "と"], [True, True]),
        (["🙂🙂.", " Yes."], [True, True]),
        (["\ud800.", " Yes."], [True, True]),
        ([""], [True]),
        ([], []),
    ],
)
def test_parts_are_whatever_makes_up_the_text(parts, ends):
    assert sentence_ends(parts, "zh") == ends


@given(st.lists(st.text(max_size=5), max_size=8), st.sampled_from(["en", "de", "zh", "", None]))
def test_every_text_has_an_answer(parts, language):
    ends = sentence_ends(parts, language)
    assert len(ends) == len(parts)
    assert all(ends[-1:])


def test_every_exception_and_addition_matters():
    """An exception is for what the rule would otherwise suppress, and an addition is not CLDR's already."""
    folder = resources.files("sentence_ends")
    cldr, ours = (tomllib.loads((folder / name).read_text(encoding="utf-8")) for name in ("cldr.toml", "ours.toml"))
    for language, words in ours["also"].items():
        assert not {*words} & {*cldr.get(language, ()), *ours["everywhere"]}
    for language, words in ours["ends"].items():
        for word in words:
            assert marked(f"x {word} Und", language) == f"x {word}| Und"
            assert word in cldr.get(language, ()) or re.fullmatch(r"(?:[^\W\d_]\.)+", word)


def test_the_data_of_cldr_carries_its_licence():
    folder = resources.files("sentence_ends")
    assert "LICENSE-CLDR.txt" in (folder / "cldr.toml").read_text(encoding="utf-8")
    assert "UNICODE LICENSE V3" in (folder / "LICENSE-CLDR.txt").read_text(encoding="utf-8")

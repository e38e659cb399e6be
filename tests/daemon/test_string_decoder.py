"""Digits -> strings: joined by silence, legal where a format is asked for."""

import json
from itertools import pairwise, product
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digitd.daemon.errors import ConfigError
from digitd.daemon.events import Digit, Doubt, Stamp, String
from digitd.daemon.settings import parse
from digitd.daemon.string_decoder import LONGEST_DIGITS, Options, StringConfig, StringDecoder, likeliest, options
from digitd.daemon.string_format import CHECKS, FormatConfig, StringFormat


def digit(label: str, start_s: float, confidence: float = 0.9, **others: float) -> Digit:
    """A digit of 0.4 s; `others` are further labels, `_7=0.2`, with how likely they are."""
    shares = {label: confidence} | {name.strip("_"): share for name, share in others.items()}
    return Digit(label, confidence, start_s, start_s + 0.4, start_s + 0.6, tuple(shares.items()))


def said(*digits: Digit, **config: object) -> String:
    """The one string of some digits."""
    decoder = StringDecoder(StringConfig(format=FormatConfig(**config)))  # type: ignore[arg-type]
    assert not [string for each in digits for string in decoder.add(each)]
    (string,) = decoder.finish(9.0)
    return string


def test_digits_join_until_the_silence_is_long_enough() -> None:
    strings = StringDecoder(StringConfig(end_silence_ms=700))
    found = [*strings.add(digit("5", 1.0)), *strings.advance(1.9, 1.92), *strings.add(digit("5", 2.0, 0.5))]
    assert found == []
    assert list(strings.advance(3.0, 3.02)) == []
    (string,) = strings.advance(3.1, 3.12)
    assert (string.digits, string.start_s, string.end_s, string.emitted_s) == ("55", 1.0, 2.4, 3.12)
    assert string.legal
    assert not string.far
    assert list(strings.advance(9.0, 9.0)) == []


def test_a_digit_that_starts_late_ends_the_string_before_it() -> None:
    strings = StringDecoder(StringConfig(end_silence_ms=700))
    found = [*strings.add(digit("1", 1.0)), *strings.add(digit("2", 2.2))]
    assert [s.digits for s in found] == ["1"]
    assert [s.digits for s in strings.finish(3.0)] == ["2"]


def test_a_string_is_as_sure_as_its_digits_together() -> None:
    shares = (("3", 0.6), ("8", 0.1))
    string = said(*(Digit("3", 0.95, at_s, at_s + 0.4, at_s + 0.6, shares) for at_s in (1.0, 1.5)))
    assert string.digits == "33"
    assert string.confidence == pytest.approx(0.95**2)
    assert sum(other.confidence for other in string.n_best) <= 1


def test_the_next_best_strings_are_told() -> None:
    string = said(digit("1", 1.0, 0.6, _9=0.3), digit("5", 1.5, 0.9))
    assert [alternative.digits for alternative in string.n_best[:2]] == ["15", "95"]
    assert string.confidence == string.n_best[0].confidence


def test_a_legal_string_is_preferred_to_what_was_heard() -> None:
    string = said(digit("7", 1.0, 0.5, _1=0.4), digit("5", 1.5), patterns=(r"1\d",))
    assert (string.digits, string.heard, string.legal, string.far) == ("15", "75", True, False)


def test_a_length_drops_the_digit_that_is_least_sure() -> None:
    string = said(digit("1", 1.0), digit("2", 1.5, 0.3), digit("3", 2.0), lengths=(2,))
    assert (string.digits, string.heard) == ("13", "123")


@pytest.mark.parametrize(
    ("check", "legal", "heard"), [("luhn", "79927398713", "79927398712"), ("damm", "5724", "5723")]
)
def test_a_check_digit_mends_what_was_misheard(check: str, legal: str, heard: str) -> None:
    digits = [digit(h, 1.0 + n, 0.5 if h != wanted else 0.95, **({f"_{wanted}": 0.4} if h != wanted else {}))
              for n, (h, wanted) in enumerate(zip(heard, legal, strict=True))]  # fmt: skip
    decoder = StringDecoder(StringConfig(end_silence_ms=5000, format=FormatConfig(check=check)))  # type: ignore[arg-type]
    for each in digits:
        assert not list(decoder.add(each))
    (string,) = decoder.finish(30.0)
    assert (string.digits, string.heard, string.legal) == (legal, heard, True)


def test_a_legal_string_far_from_what_was_heard_is_told() -> None:
    string = said(digit("7", 1.0, 0.99, _1=0.005), digit("1", 1.5, 0.99), patterns=("11",))
    assert (string.digits, string.heard, string.legal, string.far) == ("11", "71", True, True)


def test_a_length_takes_in_what_was_not_quite_a_digit() -> None:
    decoder = StringDecoder(StringConfig(format=FormatConfig(lengths=(3,))))
    decoder.consider(Doubt((("4", 0.3), ("9", 0.1)), 0.2))  # long before: of something else
    found = [*decoder.add(digit("1", 1.0))]
    decoder.consider(Doubt((("2", 0.3), ("7", 0.2)), 1.8))
    found += [*decoder.add(digit("3", 2.0)), *decoder.finish(4.0)]
    assert [(s.digits, s.heard, s.legal) for s in found] == [("123", "13", True)]
    assert [a.digits for a in found[0].n_best[:2]] == ["123", "173"]


def test_what_was_no_digit_is_none_where_nobody_asks_for_it() -> None:
    decoder = StringDecoder(StringConfig())
    found = [*decoder.add(digit("1", 1.0))]
    decoder.consider(Doubt((("2", 0.9),), 1.8))
    found += [*decoder.add(digit("3", 2.0)), *decoder.finish(4.0)]
    assert [s.digits for s in found] == ["13"]


def test_a_string_without_an_end_is_ended() -> None:
    decoder = StringDecoder(StringConfig())
    found = [s for n in range(250) for s in decoder.add(digit(str(n % 10), 0.45 * n))]
    assert [len(s.digits) for s in found] == [LONGEST_DIGITS] * 2


def test_where_nothing_is_legal_what_was_heard_stands() -> None:
    string = said(digit("7", 1.0), lengths=(10,))
    assert (string.digits, string.legal, string.far, string.n_best) == ("7", False, True, ())


@pytest.mark.parametrize("check", CHECKS)
def test_every_check_is_there(check: str) -> None:
    assert not StringFormat(FormatConfig(check=check)).allows("1234567")  # type: ignore[arg-type]


def test_a_format_that_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigError, match="is no regular expression"):
        parse(StringConfig, '[format]\npatterns = ["1("]', "digitd.toml")
    for wrong in (0, 1001):
        with pytest.raises(
            ConfigError, match=rf"lengths.0: {wrong} is out of range; allowed are values from 1 to 1000"
        ):
            parse(StringConfig, f"[format]\nlengths = [{wrong}]", "digitd.toml")


def test_the_alternatives_of_a_digit_stand_on_no_sink() -> None:
    stamp = Stamp("mic")
    assert "shares" not in json.loads(stamp.event(digit("1", 1.0)).to_json())
    shown = json.loads(stamp.event(said(digit("1", 1.0, 0.6, _9=0.3))).to_json())
    assert [set(each) for each in shown["n_best"]] == [{"digits", "confidence"}] * len(shown["n_best"])


PLACES = st.lists(
    st.dictionaries(st.sampled_from([*"0123456789", ""]), st.floats(0.01, 1), min_size=1, max_size=4), max_size=4
)


@given(PLACES)
def test_strings_come_likeliest_first_and_all_of_them(places: list[dict[str, float]]) -> None:
    ranked: list[Options] = [tuple(sorted(place.items(), key=lambda item: -item[1])) for place in places]
    found = list(likeliest(ranked))
    assert all(a[1] >= b[1] * (1 - 1e-9) for a, b in pairwise(found))
    wanted = [("".join(label for label, _ in each), prod(p for _, p in each)) for each in product(*ranked)]
    assert sorted(s for s, _ in found) == sorted(s for s, _ in wanted)
    assert sum(p for _, p in found) == pytest.approx(sum(p for _, p in wanted))


@given(st.floats(0.05, 1), st.floats(0, 1))
def test_the_published_digit_leads_its_options(confidence: float, other: float) -> None:
    found = options(digit("3", 1.0, confidence, _8=min(other, confidence)))
    assert found[0][1] == max(share for _, share in found)
    assert dict(found)["3"] == found[0][1]
    assert sum(share for _, share in found) == pytest.approx(1)

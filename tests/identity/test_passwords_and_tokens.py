"""What signs people and programs in, without a database."""

import pytest

from mains.identity import passwords, tokens


def test_a_password_is_hashed_with_argon2id_and_only_it_is_right():
    kept = passwords.hash_password("correct horse battery")

    assert kept.startswith("$argon2id$")
    assert passwords.is_right("correct horse battery", kept)
    assert not passwords.is_right("correct horse batterz", kept)
    assert not passwords.is_right("x" * 257, kept)


def test_nobody_has_the_password_of_nobody():
    assert not passwords.is_right("correct horse battery", None)


@pytest.mark.parametrize("password", ["short", "x" * 257, "has\x00a null in it"])
def test_a_password_that_is_too_short_or_cannot_be_typed_is_refused(password):
    with pytest.raises(passwords.PasswordNotAccepted, match="12 to 256"):
        passwords.hash_password(password)


def test_a_token_shows_neither_itself_in_repr_nor_twice():
    one, two = tokens.new_token(), tokens.new_token()

    assert one.text != two.text
    assert one.text not in repr(one)
    assert len(one.digest) == 32
    assert tokens.is_token(one.text)


def test_a_key_is_recognised_by_its_first_eight_characters():
    key = tokens.new_key()

    assert tokens.is_key(key.text)
    assert key.text[8] == "."
    assert not tokens.is_key(key.text + "x")
    assert not tokens.is_key("")

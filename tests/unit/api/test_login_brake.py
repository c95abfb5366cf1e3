from __future__ import annotations

import pytest

from ioc.api.brake import LoginBrake
from ioc.api.problems import TooManyAttemptsError
from tests.support.edge import SetClock


@pytest.fixture
def clock():
    return SetClock()


@pytest.fixture
def brake(clock):
    return LoginBrake(clock)


def guess(brake, count, *, name="truc", address="192.0.2.1"):
    for _ in range(count):
        brake.begin(name, address)


def test_five_wrong_passwords_are_free_and_the_sixth_waits_two_seconds(brake, clock):
    guess(brake, 5)
    with pytest.raises(TooManyAttemptsError) as refused:
        brake.begin("truc", "192.0.2.1")
    assert refused.value.retry_after_s == 2
    clock.step(seconds=2)
    brake.begin("truc", "192.0.2.1")


def test_waits_double_up_to_five_minutes(brake, clock):
    guess(brake, 5)
    waits = []
    for _ in range(10):
        with pytest.raises(TooManyAttemptsError) as refused:
            brake.begin("truc", "192.0.2.1")
        waits.append(refused.value.retry_after_s)
        clock.step(seconds=waits[-1])
        brake.begin("truc", "192.0.2.1")
    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


def test_a_hundred_attempts_at_once_are_braked_like_a_hundred_in_a_row(brake):
    begun = 0
    for _ in range(100):
        try:
            brake.begin("truc", "192.0.2.1")
        except TooManyAttemptsError:
            continue
        begun += 1
    assert begun == 5


def test_guessing_from_elsewhere_does_not_lock_the_person_on_duty_out(brake):
    guess(brake, 5, address="203.0.113.9")
    with pytest.raises(TooManyAttemptsError):
        brake.begin("truc", "203.0.113.9")
    brake.begin("truc", "192.0.2.1")


def test_an_address_that_tries_many_names_waits(brake):
    for number in range(20):
        brake.begin(f"ten-{number}", "203.0.113.9")
    with pytest.raises(TooManyAttemptsError):
        brake.begin("another", "203.0.113.9")


def test_a_name_that_is_tried_from_many_addresses_waits(brake):
    for number in range(50):
        brake.begin("truc", f"203.0.113.{number}")
    with pytest.raises(TooManyAttemptsError):
        brake.begin("truc", "198.51.100.1")


def test_the_right_password_is_never_counted(brake):
    for _ in range(200):
        brake.begin("truc", "192.0.2.1")
        brake.succeeded("truc", "192.0.2.1")
    guess(brake, 5)


def test_an_own_account_does_not_wash_wrong_guesses_off(brake):
    for number in range(20):
        brake.begin(f"ten-{number}", "203.0.113.9")
        if number % 2:
            brake.succeeded(f"ten-{number}", "203.0.113.9")
    for number in range(10):
        brake.begin(f"more-{number}", "203.0.113.9")
    with pytest.raises(TooManyAttemptsError):
        brake.begin("own", "203.0.113.9")


def test_wrong_passwords_are_forgotten_after_an_hour(brake, clock):
    guess(brake, 5)
    clock.step(hours=1, seconds=1)
    guess(brake, 5)


def test_it_remembers_a_bounded_number(clock):
    brake = LoginBrake(clock, most=30)
    for number in range(1_000):
        brake.begin(f"ten-{number}", f"203.0.113.{number}")
    assert len(brake._attempts) <= 30

"""The shared secrets: read in time, never done without."""

import pytest

from tds_core.errors import ConfigurationError
from tds_core.zoho.webhook_secrets import MAX_AGE_S, READ_AGAIN_S, WebhookSecrets, parse_secrets


class Source:
    """A secret store with a clock."""

    def __init__(self) -> None:
        self.text = '{"current": "one"}'
        self.reads = 0
        self.now_s = 1_000.0

    def read(self) -> str:
        self.reads += 1
        if self.text == "down":
            raise ConfigurationError("down")
        return self.text

    def clock(self) -> float:
        return self.now_s


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def secrets(source: Source) -> WebhookSecrets:
    return WebhookSecrets(source.read, clock=source.clock)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain",
        "[]",
        "{}",
        "1",
        '{"current": ""}',
        '{"current": "  "}',
        '{"current": null}',
        '{"current": 5}',
        '{"previous": "x"}',
        "down",
    ],
)
def test_without_a_secret_nothing_starts(source: Source, text: str) -> None:
    source.text = text
    with pytest.raises(ConfigurationError) as caught:
        WebhookSecrets(source.read)
    assert "plain" not in str(caught.value)


@pytest.mark.parametrize("previous", ["", ', "previous": ""', ', "previous": " "', ', "previous": null'])
def test_an_empty_previous_secret_never_counts(previous: str) -> None:
    assert parse_secrets(f'{{"current": "one"{previous}}}') == ("one",)


def test_both_secrets_count_while_they_are_changed() -> None:
    assert parse_secrets('{"current": "two", "previous": "one"}') == ("two", "one")


def test_they_are_read_once_in_five_minutes(source: Source, secrets: WebhookSecrets) -> None:
    source.text = '{"current": "two"}'
    source.now_s += MAX_AGE_S - 1
    assert (secrets.known(), source.reads) == (("one",), 1)
    source.now_s += 1
    assert (secrets.known(), source.reads) == (("two",), 2)
    assert (secrets.known(), source.reads) == (("two",), 2)


def test_suspicion_reads_them_again_at_most_once_a_minute(source: Source, secrets: WebhookSecrets) -> None:
    assert not secrets.read_again()
    source.text = '{"current": "two"}'
    source.now_s += READ_AGAIN_S - 1
    assert (secrets.read_again(), source.reads) == (False, 2)
    source.now_s += 1
    assert (secrets.read_again(), source.reads, secrets.known()) == (True, 3, ("two",))


@pytest.mark.parametrize("text", ["down", "{}"])
def test_a_failure_later_keeps_the_last_ones_and_is_not_repeated_at_once(
    source: Source, secrets: WebhookSecrets, text: str
) -> None:
    source.text = text
    source.now_s += MAX_AGE_S
    assert (secrets.known(), secrets.known(), source.reads) == (("one",), ("one",), 2)
    source.text = '{"current": "two"}'
    source.now_s += READ_AGAIN_S
    assert secrets.known() == ("two",)

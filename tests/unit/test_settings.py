"""Settings come from the environment, typed, or the function does not start."""

import pytest

from tds_core.errors import ConfigurationError
from tds_core.settings import Settings, snake_case


def test_variables_become_typed_fields_and_what_is_absent_keeps_its_default() -> None:
    settings = Settings.load({"TDS_MINUTE_LIMIT": "70", "TDS_OVERLAP_S": "12.5", "TDS_ENTITY": "SalesOrders"})
    assert (settings.minute_limit, settings.overlap_s, settings.entity) == (70, 12.5, "sales_orders")
    assert settings.in_flight_limit == Settings().in_flight_limit


def test_an_empty_variable_is_an_absent_one() -> None:
    assert Settings.load({"TDS_MINUTE_LIMIT": ""}) == Settings.load({})


def test_queues_lie_beside_the_unrouted_one_by_the_template_ids_of_their_entities() -> None:
    beside = {"TDS_UNROUTED_QUEUE_URL": "https://sqs/1/unrouted", "TDS_QUEUE_URL": "own"}
    settings = Settings.load({"TDS_QUEUE_NAME_PriceLists": "p", "TDS_QUEUE_NAME_Bills": "b"} | beside)
    assert settings.queue_urls == (("bills", "https://sqs/1/b"), ("price_lists", "https://sqs/1/p"))
    assert settings.queue_url == "own"


def test_a_value_that_does_not_fit_is_named_without_being_shown() -> None:
    with pytest.raises(ConfigurationError, match="TDS_MINUTE_LIMIT is not a int") as caught:
        Settings.load({"TDS_MINUTE_LIMIT": "secret"})
    assert "secret" not in str(caught.value)


def test_what_a_function_needs_and_lacks_is_named() -> None:
    with pytest.raises(ConfigurationError, match="TDS_DATABASE_HOST, TDS_ENTITY"):
        Settings(database_name="tds").require("database_name", "database_host", "entity")


@pytest.mark.parametrize(("name", "expected"), [("Products", "products"), ("CreditNotes", "credit_notes"), ("", "")])
def test_template_ids_become_entity_names(name: str, expected: str) -> None:
    assert snake_case(name) == expected

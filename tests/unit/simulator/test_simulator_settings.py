"""Users, price lists, locations, images, settings: what is listed whole, and the points on which no source is sure."""

import struct
import zlib
from typing import Any

import pytest

from cli.local.zoho_simulator import images
from cli.local.zoho_simulator.entities import ITEMS
from cli.local.zoho_simulator.options import Options
from cli.local.zoho_simulator.world import all_scopes
from tests.zoho_caller import Caller, simulated

INVENTORY = {"product": "inventory/v1"}


def names(zoho: Caller, **query: Any) -> set[str]:
    return {row["status"] for row in zoho.rows("/users", "users", **query)}


def test_deleted_users_are_listed_only_when_asked_for(zoho: Caller) -> None:
    assert names(zoho) == {"active", "inactive", "invited"}
    assert names(zoho, filter_by="Status.Deleted") == {"deleted"}
    assert "deleted" not in names(zoho, filter_by="Status.All")
    zoho.control("PUT", "/quirks", {"deleted_users_in_all": True})
    assert "deleted" in names(zoho)
    assert zoho.get("/users", filter_by="Status.Odd").json()["code"] == 2


def test_a_user_who_is_deleted_leaves_the_list_and_the_truth(zoho: Caller) -> None:
    user_id = zoho.rows("/users", "users")[-1]["user_id"]
    before = zoho.control("GET", "/truth")["users"]["count"]
    zoho.control("DELETE", f"/documents/users/{user_id}")
    assert user_id not in {row["user_id"] for row in zoho.rows("/users", "users")}
    assert zoho.control("GET", "/truth")["users"]["count"] == before - 1
    assert zoho.get(f"/users/{user_id}").json()["code"] == 1002
    zoho.control("PUT", "/quirks", {"deleted_user_detail": True})
    assert zoho.get(f"/users/{user_id}").json()["user"]["status"] == "deleted"


def test_the_current_user(zoho: Caller) -> None:
    current = [row["user_id"] for row in zoho.rows("/users", "users") if row["is_current_user"]]
    assert [zoho.get("/users/me").json()["user"]["user_id"]] == current


def test_price_lists_have_both_schemes_and_brackets(zoho: Caller) -> None:
    rows = zoho.rows("/pricebooks", "pricebooks", **INVENTORY)
    lists = [zoho.get(f"/pricebooks/{row['pricebook_id']}").json()["pricebook"] for row in rows]
    assert {made["pricing_scheme"] for made in lists} == {"unit", "volume", ""}
    assert {made["currency_code"] for made in lists} == {"USD", "IQD"}
    volume = next(made for made in lists if made["pricing_scheme"] == "volume")
    brackets = volume["pricebook_items"][0]["price_brackets"]
    assert brackets[0]["end_quantity"] < brackets[1]["start_quantity"]
    assert [made["pricebook_type"] for made in lists if not made["pricebook_items"]] == ["fixed_percentage"]
    assert (
        zoho.rows("/pricebooks/items", "pricebook_items", pricebook_id=volume["pricebook_id"])
        == (volume["pricebook_items"])
    )


def test_prices_change_and_go_with_their_item(zoho: Caller) -> None:
    row = next(row for row in zoho.rows("/pricebooks", "pricebooks") if row["pricing_scheme"] == "unit")
    path = f"/pricebooks/{row['pricebook_id']}"
    first, *rest = zoho.get(path).json()["pricebook"]["pricebook_items"]
    changed = {**first, "pricebook_rate": 9.875}
    zoho.control("PATCH", f"/documents/price_lists/{row['pricebook_id']}", {"pricebook_items": [changed, *rest]})
    assert zoho.get(path).json()["pricebook"]["pricebook_items"][0] == changed
    zoho.control("DELETE", f"/documents/products/{first['item_id']}")
    assert zoho.get(path).json()["pricebook"]["pricebook_items"] == rest


def test_a_customer_names_its_price_list() -> None:
    with simulated(counts={"customers": 200}) as zoho:
        ids = {row["pricebook_id"] for row in zoho.rows("/pricebooks", "pricebooks")}
        customers = zoho.control("GET", "/documents/customers", limit=200)
        assert {entry["document"]["pricebook_id"] for entry in customers} - {""} <= ids
        assert any(entry["document"]["pricebook_id"] for entry in customers)


def test_a_new_location_is_listed_and_holds_stock(zoho: Caller) -> None:
    made = zoho.control("POST", "/documents/locations", {"location_name": "Basra"}, status=201)["document"]
    assert zoho.rows("/locations", "locations", **INVENTORY)[-1] == made
    item = next(row for row in zoho.rows("/items", "items", **INVENTORY) if row["track_inventory"])
    lines = [{"item_id": item["item_id"], "quantity_adjusted": 3}]
    given = {"line_items": lines, "location_id": made["location_id"]}
    zoho.control("POST", "/documents/inventory", given, status=201)
    places = zoho.get(f"/items/{item['item_id']}", **INVENTORY).json()["item"]["locations"]
    assert (places[-1]["location_name"], places[-1]["location_stock_on_hand"]) == ("Basra", "3")
    zoho.control("DELETE", f"/documents/locations/{made['location_id']}", status=409)


def test_a_renamed_location_shows_in_its_items(zoho: Caller) -> None:
    place = zoho.rows("/locations", "locations")[0]
    zoho.control("PATCH", f"/documents/locations/{place['location_id']}", {"location_name": "New Name"})
    item = next(row for row in zoho.rows("/items", "items", **INVENTORY) if row["track_inventory"])
    shown = zoho.get(f"/items/{item['item_id']}", **INVENTORY).json()["item"]["locations"][0]
    assert shown["location_name"] == "New Name"


# -- images


def test_images_are_real_and_come_in_four_formats(zoho: Caller) -> None:
    starts = {"image/jpeg": b"\xff\xd8\xff", "image/png": b"\x89PNG", "image/gif": b"GIF89a", "image/webp": b"RIFF"}
    seen = set()
    for row in zoho.rows("/items", "items", **INVENTORY):
        for product in ("books/v3", "inventory/v1"):
            answer = zoho.get(f"/items/{row['item_id']}/image", product=product)
            if not row["image_document_id"]:
                assert (answer.status_code, answer.json()["code"]) == (404, 1002)
                continue
            kind = answer.headers["content-type"]
            assert answer.content.startswith(starts[kind])
            assert row["image_name"].endswith(row["image_type"])
            seen.add(kind)
    assert seen == set(starts)


def test_another_image_has_another_id_and_other_bytes(zoho: Caller) -> None:
    row = next(row for row in zoho.rows("/items", "items", **INVENTORY) if row["image_document_id"])
    before = zoho.get(f"/items/{row['item_id']}/image").content
    zoho.control("PATCH", f"/documents/products/{row['item_id']}", {"image_document_id": "2646610000000999001"})
    assert zoho.get(f"/items/{row['item_id']}/image").content != before
    zoho.control("PATCH", f"/documents/products/{row['item_id']}", {"image_document_id": ""})
    assert zoho.get(f"/items/{row['item_id']}/image").status_code == 404


SEEDS = [bytes((seed * at) % 256 for at in range(32)) for seed in (1, 7, 255)]


@pytest.mark.parametrize("seed", SEEDS, ids=bytes.hex)
def test_a_png_holds_the_pixels_that_it_says(seed: bytes) -> None:
    data, at, chunks = images.png(seed), 8, {}
    while at < len(data):
        (size,), name = struct.unpack(">I", data[at : at + 4]), data[at + 4 : at + 8]
        chunks[name] = data[at + 8 : at + 8 + size]
        assert struct.unpack(">I", data[at + 8 + size : at + 12 + size]) == (zlib.crc32(name + chunks[name]),)
        at += 12 + size
    width, height = struct.unpack(">II", chunks[b"IHDR"][:8])
    assert (list(chunks)[-1], len(zlib.decompress(chunks[b"IDAT"]))) == (b"IEND", height * (width * 3 + 1))


@pytest.mark.parametrize("seed", SEEDS, ids=bytes.hex)
def test_a_gif_holds_as_many_codes_as_pixels(seed: bytes) -> None:
    data = images.gif(seed)
    width, height, flags = struct.unpack("<HHB", data[6:11])
    at, codes = 13 + 3 * 2 ** ((flags & 7) + 1) + 11, b""
    while data[at]:
        codes += data[at + 1 : at + 1 + data[at]]
        at += 1 + data[at]
    assert (data[at:], codes[0], codes[-1]) == (b"\0\x3b", 0x80, 0x81)
    assert sum(code < 0x80 for code in codes) == width * height
    assert max(len(run) for run in codes.split(b"\x80")) < 126  # nine bits begin there


@pytest.mark.parametrize("seed", SEEDS, ids=bytes.hex)
def test_a_jpeg_is_a_chain_of_segments_and_a_webp_as_long_as_it_says(seed: bytes) -> None:
    data, at, markers = images.jpeg(seed), 2, []
    while data[at + 1] != 0xDA:
        markers.append(data[at + 1])
        at += 2 + int(struct.unpack(">H", data[at + 2 : at + 4])[0])
    assert markers == [0xE0, 0xDB, 0xC0, 0xC4, 0xC4]
    assert data.endswith(b"\xff\xd9")
    assert b"\xff" not in data[at + 2 : -2].replace(b"\xff\0", b"")
    webp = images.webp(seed)
    assert struct.unpack("<I", webp[4:8]) == (len(webp) - 8,)
    assert struct.unpack("<I", webp[16:20])[0] <= len(webp) - 20 and webp[20] == 0x2F


def test_images_need_the_scope_of_items() -> None:
    scopes = all_scopes((ITEMS,)) - {"ZohoInventory.items.READ"}
    with simulated(scopes=scopes) as zoho:
        item_id = next(iter(zoho.service.world.table(ITEMS).records))
        answer = zoho.get(f"/items/{item_id}/image", **INVENTORY)
        assert (answer.status_code, answer.json()["code"]) == (401, 57)


def test_a_fault_can_befall_images_alone(zoho: Caller) -> None:
    body = {"code": 57, "message": "You are not authorized to perform this operation"}
    zoho.control("POST", "/faults", {"kind": "answer", "path": "/items/*/image", "body": body}, status=201)
    row = next(row for row in zoho.rows("/items", "items", **INVENTORY) if row["image_document_id"])
    answer = zoho.get(f"/items/{row['item_id']}/image", **INVENTORY)
    assert (answer.status_code, answer.json()) == (200, body)
    assert zoho.get(f"/items/{row['item_id']}/image", **INVENTORY).headers["content-type"].startswith("image/")


def test_about_three_quarters_of_the_products_have_an_image() -> None:
    assert round(2221 * 1621 / 2221) == 1621
    with simulated(counts={"products": 300}) as zoho:
        items = zoho.service.world.table(ITEMS).records.values()
        assert sum(bool(item.image_id) for item in items) == round(300 * 1621 / 2221)


# -- settings and quirks


def test_currencies_and_taxes(zoho: Caller) -> None:
    body = zoho.get("/settings/currencies").json()
    assert {row["currency_code"] for row in body["currencies"] if row["is_base_currency"]} == {"USD"}
    assert body["page_context"]["report_name"] == "Currencies"
    one = body["currencies"][1]
    assert zoho.get(f"/settings/currencies/{one['currency_id']}").json()["currency"] == one
    taxes = zoho.get("/settings/taxes").json()
    assert (taxes["taxes"], taxes["page_context"]["applied_filter"]) == ([], "Taxes.Active")
    assert zoho.get("/settings/nonsense").json()["code"] == 5


def answer(zoho: Caller, path: str, **query: Any) -> tuple[int, int]:
    got = zoho.get(path, **query)
    return got.status_code, got.json()["code"]


def test_quirks_of_the_paths(zoho: Caller) -> None:
    list_id = zoho.rows("/pricebooks", "pricebooks")[0]["pricebook_id"]
    assert answer(zoho, "/settings/roles") == (404, 5)
    assert "pricebook_items" not in zoho.rows("/pricebooks", "pricebooks")[0]
    quirks = {"roles_endpoint": True, "pricebook_detail": False, "pricebooks_list_prices": True}
    zoho.control("PUT", "/quirks", quirks)
    roles = {row["role_id"] for row in zoho.rows("/settings/roles", "roles")}
    assert {row["role_id"] for row in zoho.rows("/users", "users")} <= roles
    assert answer(zoho, f"/pricebooks/{list_id}") == (404, 5)
    assert "pricebook_items" in zoho.rows("/pricebooks", "pricebooks")[0]


def test_quirks_of_items(zoho: Caller) -> None:
    row = next(
        row
        for row in zoho.rows("/items", "items", **INVENTORY)
        if row["image_document_id"] and not int(row["image_document_id"]) % 3 and row["track_inventory"]
    )
    path = f"/items/{row['item_id']}"
    assert zoho.get(path, **INVENTORY).json()["item"]["documents"] == []
    zoho.control("PUT", "/quirks", {"warehouses": True, "several_images": True, "details_name_images": True})
    item = zoho.get(path, **INVENTORY).json()["item"]
    assert "locations" not in item
    assert {"warehouse_id", "warehouse_name", "warehouse_stock_on_hand"} <= set(item["warehouses"][0])
    assert item["image_document_id"] == row["image_document_id"]
    further = zoho.get(f"{path}/documents/{item['documents'][0]['document_id']}", **INVENTORY)
    assert further.headers["content-type"].startswith("image/")
    assert answer(zoho, f"{path}/documents/1", **INVENTORY) == (404, 1002)


@pytest.mark.parametrize("paged", [False, True])
def test_contact_persons_of_everybody(zoho: Caller, paged: bool) -> None:
    zoho.control("PUT", "/quirks", {"contactpersons_paged": paged, "arabic_language_code": True})
    body = zoho.get("/contacts/contactpersons", per_page=4).json()
    assert ("page_context" in body) is paged
    assert (len(body["contact_persons"]) == 4) is paged
    assert {row["language_code"] for row in zoho.rows("/contacts", "contacts")} == {"", "ar"}


def test_quirks_of_refusals(zoho: Caller) -> None:
    zoho.control(
        "PUT", "/quirks", {"missing_organization_code": 4029, "day_limit_status": 200, "bearer_accepted": True}
    )
    assert answer(zoho, "/invoices", organization_id="") == (400, 4029)
    assert answer(zoho, "/invoices", organization_id="1") == (400, 6041)
    bearer = zoho.request(
        "GET",
        "/books/v3/invoices",
        params={"organization_id": zoho.organization_id},
        headers={"Authorization": f"Bearer {zoho.token}"},
    )
    assert bearer.status_code == 200
    zoho.control("PUT", "/limits", {"per_day": 1})
    assert answer(zoho, "/invoices") == (200, 45)


def test_inventory_may_have_a_quota_of_its_own(zoho: Caller) -> None:
    zoho.control("PUT", "/quirks", {"separate_day_counters": True, "inventory_per_day": 2})
    assert zoho.get("/items", **INVENTORY).headers["x-rate-limit-limit"] == "2"
    assert zoho.get("/items").headers["x-rate-limit-limit"] == "10000"
    zoho.get("/items", **INVENTORY)
    assert answer(zoho, "/items", **INVENTORY) == (429, 45)
    assert answer(zoho, "/items") == (200, 0)


def test_every_quirk_has_a_value_of_a_simple_kind() -> None:
    assert all(type(value) in (bool, int, str) for value in vars(Options().quirks).values())


def test_calls_below_a_record_are_counted_by_their_form(zoho: Caller) -> None:
    zoho.control("POST", "/stats/reset")
    note = zoho.rows("/creditnotes", "creditnotes")[0]["creditnote_id"]
    item = zoho.rows("/items", "items", **INVENTORY)[0]["item_id"]
    for path in (f"/creditnotes/{note}/invoices", "/creditnotes/refunds", "/users/me", "/settings/taxes"):
        zoho.get(path)
    zoho.get(f"/items/{item}/image", **INVENTORY)
    assert zoho.control("GET", "/stats")["calls"] == {
        "books GET /creditnotes": 1,
        "books GET /creditnotes/refunds": 1,
        "books GET /creditnotes/{id}/invoices": 1,
        "books GET /settings/taxes": 1,
        "books GET /users/me": 1,
        "inventory GET /items": 1,
        "inventory GET /items/{id}/image": 1,
    }


@pytest.mark.parametrize(
    ("path", "product", "code"),
    [
        ("/inventoryadjustments", "books/v3", 5),
        ("/transferorders", "books/v3", 5),
        ("/locations/2646610000000054001", "inventory/v1", 5),
        ("/creditnotes/1", "books/v3", 1002),
        ("/creditnotes/1/invoices", "books/v3", 1002),
        ("/bills/1/nonsense", "books/v3", 1002),
        ("/users/1", "inventory/v1", 1002),
        ("/organizations/1", "books/v3", 1002),
        ("/creditnotes/1/2/3/4", "books/v3", 5),
    ],
)
def test_what_is_not_there(zoho: Caller, path: str, product: str, code: int) -> None:
    assert answer(zoho, path, product=product) == (404, code)

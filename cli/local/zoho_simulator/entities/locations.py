"""Locations: listed whole and without pages, in both products; stock is counted by their position."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from cli.local.zoho_simulator import fields
from cli.local.zoho_simulator.clock import DAY_S
from cli.local.zoho_simulator.organisation import LOCATIONS, STAFF
from cli.local.zoho_simulator.records import (
    EntitySpec,
    Fields,
    Json,
    Listing,
    Product,
    Record,
    Refused,
    Totals,
    View,
    overlaid,
)
from cli.local.zoho_simulator.shapes import shape
from cli.local.zoho_simulator.world import World

LEAST = len(LOCATIONS)


@dataclass(slots=True, kw_only=True)
class Place(Record):
    """A place that holds stock; `position` is where an item's stock counts it."""

    name: str
    position: int
    city: str = ""
    kind: str = "general"


def location(world: World, position: int) -> Place:
    """The place at a position; one that was deleted counts as the first."""
    places: list[Place] = list(world.table(PLACES).records.values())
    return next((place for place in places if place.position == position), places[0])


def generate(world: World, random: Random) -> Iterator[Place]:
    """Those that every size has, and branches beyond."""
    count = world.sizes["locations"]
    if count < LEAST:
        raise ValueError(f"there are at least {LEAST} locations")
    opened = world.history_end - 1500 * DAY_S
    for position in range(count):
        known = LOCATIONS[position] if position < LEAST else None
        yield Place(
            id=known.location_id if known else world.table(PLACES).next_id(),
            created=opened,
            modified=opened,
            name=known.name if known else f"Branch {position + 1}",
            city=known.city if known else "Baghdad",
            position=position,
        )


def row(world: World, place: Place, product: Product) -> Json:
    """An element of /locations, which is all that there is."""
    base = shape("location")
    shown = {
        **base,
        "location_id": place.id,
        "location_name": place.name,
        "type": place.kind,
        "address": {**base["address"], "city": place.city},
        "is_all_users_selected": place.position == 0,
        "associated_users": []
        if place.position == 0
        else [{"user_id": staff.user_id, "user_name": staff.name} for staff in STAFF[1:]],
    }
    return overlaid(shown, place.overlay)


SETTERS: dict[str, fields.Setter] = {
    "location_name": ("name", fields.text),
    "type": ("kind", fields.text),
}
COMPUTED = frozenset({"location_id"})
FIELDS = fields.Settable(setters=SETTERS, computed=COMPUTED, shapes=("location",))


def create(world: World, random: Random, given: Fields) -> Place:
    """A new branch, without stock."""
    FIELDS.check(given)
    table, now = world.table(PLACES), world.seconds()
    position = max(place.position for place in table.records.values()) + 1
    place = Place(id=table.next_id(), created=now, modified=now, name=f"Branch {position + 1}", position=position)
    FIELDS.assign(place, given)
    return world.born(PLACES, place)


def edit(world: World, place: Place, given: Fields, version: bool) -> None:
    """Set fields; documents show the new name at once."""
    FIELDS.check(given)
    with world.editing(PLACES, place, version=version):
        FIELDS.assign(place, given)


def random_edit(world: World, place: Place, random: Random) -> Fields:
    """What staff change."""
    return {"phone": f"000{random.randrange(10**6):06d}"}


def delete(world: World, place: Place) -> None:
    """Only a branch that never held stock can be deleted."""
    if place.position < LEAST or any(
        any(item.stock[place.position : place.position + 1]) for item in world.tables["items"].records.values()
    ):
        raise Refused("a location with transactions cannot be deleted")
    world.bury(PLACES, place)


def totals(place: Place) -> Totals:
    """There is nothing to add up."""
    return "", {}


PLACES: EntitySpec[Place] = EntitySpec(
    name="locations",
    label="Location",
    path="locations",
    list_key="locations",
    detail_key="location",
    id_key="location_id",
    id_base=2_646_610_022_000_000_000,
    scopes={"books": "ZohoBooks.settings.READ", "inventory": "ZohoInventory.settings.READ"},
    listing=Listing(
        report_name="",
        applied_filter="",
        sort_column="position",
        sort_order="A",
        sort_keys={"position": lambda place: place.position},
        filters={},
        filters_by_modified=lambda world: False,
        paged=False,
    ),
    views=(View(name="locations", shows=lambda place: True, sizes={"small": 5, "demo": 5, "tsh": 5}, busy=False),),
    chosen_fields=("location_id", "location_name"),
    row=row,
    document=row,
    totals=totals,
    generate=generate,
    create=create,
    edit=edit,
    random_edit=random_edit,
    delete=delete,
    may_delete=lambda place: place.position >= LEAST,
    home="inventory",
    announces=False,
    offers_detail=lambda world: False,
    shown_in=("items",),
)

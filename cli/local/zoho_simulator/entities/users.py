"""Users: rows are nearly the whole document, deleted ones are kept and listed only when asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from cli.local.zoho_simulator import fields, history, vocabulary
from cli.local.zoho_simulator.clock import DAY_S, zoho_time
from cli.local.zoho_simulator.organisation import STAFF
from cli.local.zoho_simulator.records import (
    Below,
    EntitySpec,
    Fields,
    InvalidValue,
    Json,
    Listing,
    Predicate,
    Product,
    Record,
    Refused,
    Totals,
    View,
    overlaid,
)
from cli.local.zoho_simulator.shapes import shape
from cli.local.zoho_simulator.world import World

ROLES = {
    "admin": "2646610000000006001",
    "staff": "2646610000000006005",
    "timesheetstaff": "2646610000000006009",
    "موظف مبيعات": "2646610000000006013",
    "Warehouse": "2646610000000006017",
}
STATUSES = ("active", "inactive", "invited", "deleted")
GONE = 2  # deleted ones beyond the count


@dataclass(slots=True, kw_only=True)
class User(Record):
    """Somebody who may log in to Zoho; nothing of it is a login anywhere else."""

    name: str
    email: str
    role: str = "staff"
    status: str = "active"
    photo: str = ""


def _new(world: World, random: Random, *, at: int, record_id: str = "", name: str = "") -> User:
    user_id = record_id or world.table(USERS).next_id()
    return User(
        id=user_id,
        created=at,
        modified=at,
        name=name or " ".join(vocabulary.person(random)),
        email=f"user{int(user_id) % 100_000}@example.com",
        role=random.choices(tuple(ROLES), weights=(1, 5, 1, 6, 3))[0],
        photo=f"https://contacts.example.com/file?ID={user_id}&fs=thumb" if random.random() < 0.5 else "",
    )


def generate(world: World, random: Random) -> Iterator[User]:
    """The staff that documents name first, some inactive or only invited, and two that are deleted."""
    count = world.sizes["users"]
    for index, at in enumerate(history.instants(random, count + GONE, end=world.history_end - DAY_S, days=1500)):
        known = STAFF[index] if index < min(len(STAFF), count) else None
        user = _new(world, random, at=at, record_id=known.user_id if known else "", name=known.name if known else "")
        if index >= count:
            user.status = "deleted"
        elif known is None:
            user.status = {4: "invited", 0: "inactive"}.get(index % 5, "active")
        user.role = "admin" if index == 0 else user.role
        yield user


def _common(user: User) -> Json:
    return {
        "user_id": user.id,
        "role_id": ROLES.get(user.role, ROLES["staff"]),
        "name": user.name,
        "user_role": user.role,
        "status": user.status,
        "photo_url": user.photo,
    }


def row(world: World, user: User, product: Product) -> Json:
    """A list row: no time of any kind."""
    current = user.id == STAFF[0].user_id
    shown = {**shape("user_row"), **_common(user), "email": user.email, "is_current_user": current}
    return overlaid(shown, {name: value for name, value in user.overlay.items() if name in shown})


def document(world: World, user: User, product: Product) -> Json:
    """The detail: addresses in email_ids, and when the user was created."""
    shown = {
        **shape("user_document"),
        **_common(user),
        "email_ids": [{"email": user.email, "is_selected": True}],
        "created_time": zoho_time(user.created),
    }
    return overlaid(shown, user.overlay)


def me(world: World, product: Product) -> Json:
    """/users/me: whose token it is."""
    return document(world, world.table(USERS).records[STAFF[0].user_id], product)


# -- changes


SETTERS: dict[str, fields.Setter] = {
    "name": ("name", fields.text),
    "email": ("email", fields.text),
    "user_role": ("role", fields.text),
    "status": ("status", fields.one_of("status", *STATUSES)),
    "photo_url": ("photo", fields.text),
}
COMPUTED = frozenset({"user_id", "role_id", "is_current_user", "created_time", "email_ids"})
SHAPES = ("user_row", "user_document")
FIELDS = fields.Settable(setters=SETTERS, computed=COMPUTED, shapes=SHAPES)


def create(world: World, random: Random, given: Fields) -> User:
    """A new user."""
    FIELDS.check(given)
    user = _new(world, random, at=world.seconds())
    FIELDS.assign(user, given)
    return world.born(USERS, user)


def edit(world: World, user: User, given: Fields, version: bool) -> None:
    """Set fields."""
    FIELDS.check(given)
    with world.editing(USERS, user, version=version):
        FIELDS.assign(user, given)


def random_edit(world: World, user: User, random: Random) -> Fields:
    """What the administrator changes."""
    choices: list[Fields] = [
        {"user_role": random.choice(tuple(ROLES))},
        {"status": "inactive" if user.status == "active" else "active"},
        {"name": " ".join(vocabulary.person(random))},
    ]
    return random.choice(choices)


def delete(world: World, user: User) -> None:
    """The user leaves the lists, but for filter_by=Status.Deleted."""
    if user.id == STAFF[0].user_id:
        raise Refused("the current user cannot be deleted")
    with world.editing(USERS, user):
        user.status = "deleted"


def totals(user: User) -> Totals:
    """There is nothing to add up."""
    return "", {}


def _there(user: User) -> bool:
    return user.status != "deleted"


def _filter_by(value: str) -> Predicate[User]:
    wanted = value.removeprefix("Status.").lower()
    if wanted == "all":
        return lambda user: True
    if wanted not in STATUSES:
        raise InvalidValue(value)
    return lambda user: user.status == wanted


USERS: EntitySpec[User] = EntitySpec(
    name="users",
    label="User",
    path="users",
    list_key="users",
    detail_key="user",
    id_key="user_id",
    id_base=2_646_610_008_000_000_000,
    scopes={"books": "ZohoBooks.settings.READ", "inventory": "ZohoInventory.settings.READ"},
    listing=Listing(
        report_name="Users",
        applied_filter="Status.All",
        sort_column="name",
        sort_order="A",
        sort_keys={
            "name": lambda user: user.name.casefold(),
            "email": lambda user: user.email,
            "user_role": lambda user: user.role,
            "status": lambda user: user.status,
        },
        filters={"filter_by": _filter_by},
        filters_by_modified=lambda world: False,
        default=lambda world, user: _there(user) or world.options.quirks.deleted_users_in_all,
    ),
    views=(View(name="users", shows=_there, sizes={"small": 8, "demo": 25, "tsh": 25}, busy=False),),
    chosen_fields=("user_id", "name", "status"),
    row=row,
    document=document,
    totals=totals,
    generate=generate,
    create=create,
    edit=edit,
    random_edit=random_edit,
    delete=delete,
    may_delete=lambda user: user.id != STAFF[0].user_id,
    announces=False,
    reachable=lambda world, user: _there(user) or world.options.quirks.deleted_user_detail,
    beside={"me": Below(key="user", values=lambda world, query, product: me(world, product))},
)

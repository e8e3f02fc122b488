"""Users of the organisation, of Zoho Books; mirrored only: nobody gets a login by it."""

from datetime import timedelta

from pydantic import Field

from tds_core.entities.model import Document, JsonObject, Text, ZohoId
from tds_core.entities.spec import EntitySpec, WholeList


class User(Document):
    """A person who works in Zoho; the list shows all there is to know."""

    user_id: ZohoId
    name: Text = None
    email: Text = None
    role: Text = Field(None, alias="user_role")
    role_id: Text = None
    status: Text = None
    user_type: Text = None
    photo_url: Text = None
    # Zoho's API names a user's role and nowhere what the role permits
    permissions: JsonObject = None


USERS = EntitySpec(
    name="users",
    model=User,
    key="user_id",
    numbers=("name", "email"),
    product="books",
    path="/users",
    scope="settings",
    list_key="users",
    detail_key="user",
    list_parameters={"filter_by": "Status.All"},
    rows_are_documents=True,
    # whether all include those that are deleted is documented nowhere
    deleted_where=("status", "deleted"),
    changes=WholeList(),
    walk_sort="",
    document_keys=frozenset({"user_id", "name", "email", "user_role", "status"}),
    critical=("name", "role", "status"),
    compared=("name", "email", "role", "status"),
    totals=(),
    freshness=timedelta(hours=24),
    cadence="daily",
)

"""What the CLI asks about images: how many are stored, bringing them up to date, and whether all is right."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from tds_core.database import images
from tds_core.database.connection import Database
from tds_core.errors import UnknownProduct
from tds_core.ids import parse_id
from tds_core.priority import Priority
from tds_core.settings import Settings
from tds_core.sync.image_check import ImageCheck
from tds_core.sync.image_store import ImageStore
from tds_core.sync.queue import DrainWaker

_CHECK_S = 40.0


class ImageCommands:
    """The console's commands about product images."""

    def __init__(self, settings: Settings, *, database: Database, waker: DrainWaker) -> None:
        self._settings = settings
        self._database = database
        self._waker = waker

    def figures(self) -> dict[str, int]:
        """How many images Zoho shows, and how many of these are stored and linked."""
        return images.figures(self._database)

    def status(self) -> dict[str, Any]:
        """The figures, what is on its way, what was given up for now with its reason, and the address of one image."""
        waiting = images.waiting(self._database).values()
        troubles = {one.id: one.reason for one in waiting if one.reason and not one.is_parked}
        parked = {one.id: one.reason for one in waiting if one.is_parked}
        links = sorted(held.image_url for held in images.holdings(self._database).values() if held.image_url)
        return self.figures() | {
            "image_base_url": self._settings.image_base_url,
            "example": self._settings.image_base_url + links[0] if links else None,
            "pending": len(waiting) - len(parked),
            "troubles": troubles,
            "parked": parked,
        }

    def sync(self, *, ids: Sequence[str] = ()) -> dict[str, int]:
        """Look at every image that is not what Zoho shows, parked ones too; named products are fetched in any case.

        Raises InvalidId, and UnknownProduct when one of them is no live product: then nothing is requested.
        """
        if ids:
            wanted = [parse_id(product_id) for product_id in ids]
            if unknown := sorted(set(wanted) - images.live(self._database, wanted)):
                raise UnknownProduct(f"no product {', '.join(unknown)}")
            images.request(self._database, wanted, priority=Priority.MANUAL, cause="images sync")
        else:
            held = images.holdings(self._database).values()
            wanted = sorted(one.id for one in held if not one.is_settled)
            images.request(self._database, wanted)
        self._waker.wake()
        return {"requested": len(wanted)}

    def verify(self, *, heal: bool = False) -> dict[str, Any]:
        """Compare Zoho's list, the bucket, the database and the public web; `heal` mends what is wrong."""
        check = ImageCheck(self._settings, database=self._database, bucket=ImageStore(self._settings))
        report = check.run(heal=heal, for_s=_CHECK_S)
        if report.healed:
            self._waker.wake()
        return {"ok": report.is_ok} | asdict(report)

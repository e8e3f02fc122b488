"""The trading company for which a day's calls were planned: the simulator's size `tsh`."""

from cli.local.zoho_simulator.entities import views
from tds_core.entities import REGISTRY

ROWS = {name: view.sizes["tsh"] for name, (_, view) in views().items() if name in REGISTRY}
# 20,000 payments in about three years
PAYMENTS_OF_A_FORTNIGHT = 256
# of 30 days
RECENT_ADJUSTMENTS = 20

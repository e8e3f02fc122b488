"""A Zoho Books v3 and Inventory v1 simulator that speaks their dialect, quirks included.

`Simulator` serves from a thread of this process, `start` runs a process of its own, `python -m` runs it by hand.
"""

from cli.local.zoho_simulator.launch import Running, start
from cli.local.zoho_simulator.options import Limits, Options, Quirks
from cli.local.zoho_simulator.server import Details, Simulator

__all__ = ["Details", "Limits", "Options", "Quirks", "Running", "Simulator", "start"]

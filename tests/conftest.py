"""For all tests: property tests tell what is wrong, not that the machine is busy."""

from hypothesis import HealthCheck, settings

settings.register_profile("tds", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tds")

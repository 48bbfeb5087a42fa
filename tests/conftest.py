"""What holds for all tests: a property is not refuted by a slow machine."""

from hypothesis import HealthCheck, settings

settings.register_profile("slipstream", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("slipstream")

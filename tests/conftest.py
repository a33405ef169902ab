"""What holds for every test."""

from hypothesis import HealthCheck, settings

# A slow machine is no failure, and the same code gives the same result every time; what is new is
# looked for by fuzzing.
settings.register_profile(
    "steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")

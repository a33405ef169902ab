"""TLS versions and cipher suites of CDI's servers."""

from typing import Any

import pytest

from cdi.storage import tlsprofile

CUSTOM = {"custom": {"ciphers": ["A", "B"], "minTLSVersion": "VersionTLS11"}}


@pytest.mark.parametrize(
    ("said", "minimum", "count"),
    [
        pytest.param(None, "VersionTLS12", 11, id="nothing"),
        pytest.param({"type": "Old"}, "VersionTLS10", 29, id="old"),
        pytest.param({"type": "Intermediate"}, "VersionTLS12", 11, id="intermediate"),
        pytest.param({"type": "Modern"}, "VersionTLS13", 3, id="modern"),
        pytest.param({"type": "Custom"} | CUSTOM, "VersionTLS11", 2, id="custom"),
        pytest.param({"type": "Old"} | CUSTOM, "VersionTLS11", 2, id="custom-wins"),
        pytest.param({"type": "Custom"}, "VersionTLS12", 11, id="custom-without-custom"),
        pytest.param({}, "VersionTLS12", 11, id="no-type"),
    ],
)
def test_profile(said: Any, minimum: str, count: int) -> None:
    found = tlsprofile.profile_for({"tlsSecurityProfile": said})
    assert (found.minimum, len(set(found.ciphers))) == (minimum, count)

"""
Feature gates. A gate is on if its exact name is in CDIConfig's `spec.featureGates`; names that
nobody knows are ignored.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum


class Gate(StrEnum):
    """A behaviour that is off unless it is asked for."""

    # no worker starts on an unbound claim whose class waits for its first consumer
    HONOR_WAIT_FOR_FIRST_CONSUMER = "HonorWaitForFirstConsumer"
    # a DataVolume may take over an existing claim of its name
    CLAIM_ADOPTION = "DataVolumeClaimAdoption"
    # legacy and without effect: rendering is switched by spec.webhookPvcRendering
    WEBHOOK_PVC_RENDERING = "WebhookPvcRendering"
    # reserved: bootable containers are refused whatever it says
    BOOTC_IMAGE_IMPORT = "BootcImageImport"


RENDERING_DISABLED = "Disabled"  # the one value of spec.webhookPvcRendering that switches it off


def enabled(gate: Gate, gates: Collection[str]) -> bool:
    """Tell whether a gate is on, given the `featureGates` of the CDIConfig."""
    return gate.value in gates


def renders_claims(webhook_pvc_rendering: str) -> bool:
    """Tell whether the webhook completes claims from their StorageProfile."""
    return webhook_pvc_rendering != RENDERING_DISABLED

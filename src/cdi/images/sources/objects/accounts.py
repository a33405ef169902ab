"""
Who somebody is for an object store: what the variables and files of its usual tools say.

The environment is handed in. Nothing is asked of anybody: what is missing is left out, and the
store is then asked anonymously. Raises InvalidRequest for a file that cannot be read.
"""

from __future__ import annotations

import configparser
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cdi.images import errors
from cdi.images.sources.objects.access import GOOGLE, AzureAccess, GoogleAccess, Keys, S3Access

_PROFILE: Final = {
    "AWS_ACCESS_KEY_ID": "aws_access_key_id",
    "AWS_SECRET_ACCESS_KEY": "aws_secret_access_key",
    "AWS_SESSION_TOKEN": "aws_session_token",
}


def s3_access(env: Mapping[str, str]) -> S3Access:
    """Return what the AWS tools would take."""
    files = Path(env.get("HOME") or "/") / ".aws"
    profile = env.get("AWS_PROFILE", "default")
    config = _ini(env.get("AWS_CONFIG_FILE") or files / "config")
    own = config.get(profile if profile == "default" else f"profile {profile}", {})
    given = env
    if not env.get("AWS_ACCESS_KEY_ID"):
        shared = _ini(env.get("AWS_SHARED_CREDENTIALS_FILE") or files / "credentials")
        known = {**own, **shared.get(profile, {})}
        given = {name: known.get(key, "") for name, key in _PROFILE.items()}
    return S3Access(
        keys=_keys(given),
        endpoint=env.get("AWS_ENDPOINT_URL_S3") or env.get("AWS_ENDPOINT_URL") or "",
        region=env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or own.get("region", ""),
    )


def _keys(given: Mapping[str, str]) -> Keys | None:
    key_id, secret, token = (given.get(name, "") for name in _PROFILE)
    return Keys(key_id, secret, token) if key_id and secret else None


def _ini(path: str | Path) -> dict[str, dict[str, str]]:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, OSError, UnicodeDecodeError) as error:
        # The parser's own words repeat lines of the file.
        raise errors.InvalidRequest(f"{path} cannot be read: {type(error).__name__}") from None
    return {name: dict(parser.items(name)) for name in parser.sections()}


def google_access(env: Mapping[str, str]) -> GoogleAccess:
    """Return what Google's tools would take; a metadata server only if one is named."""
    if emulator := env.get("STORAGE_EMULATOR_HOST"):
        return GoogleAccess(endpoint=emulator if "://" in emulator else f"http://{emulator}")
    endpoint = _origin(env.get("CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE", "")) or GOOGLE
    named = env.get("GOOGLE_APPLICATION_CREDENTIALS")
    usual = Path(env.get("HOME") or "/") / ".config/gcloud/application_default_credentials.json"
    if named or usual.is_file():
        return GoogleAccess(credentials=_text(Path(named or usual)), endpoint=endpoint)
    return GoogleAccess(metadata_host=env.get("GCE_METADATA_HOST", ""), endpoint=endpoint)


def _origin(url: str) -> str:
    """Leave out the path, which is that of another interface of the same host."""
    scheme, separator, rest = url.partition("://")
    return scheme + separator + rest.partition("/")[0]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise errors.InvalidRequest(
            f"the Google credentials in {path} cannot be read: {type(error).__name__}"
        ) from error


def azure_access(env: Mapping[str, str]) -> AzureAccess:
    """Return what Azure's tools would take."""
    parts = env.get("AZURE_STORAGE_CONNECTION_STRING", "").split(";")
    said = dict(part.split("=", 1) for part in parts if "=" in part)
    return AzureAccess(
        account=said.get("AccountName") or env.get("AZURE_STORAGE_ACCOUNT") or "",
        key=said.get("AccountKey") or env.get("AZURE_STORAGE_KEY") or "",
        sas=said.get("SharedAccessSignature") or env.get("AZURE_STORAGE_SAS_TOKEN") or "",
        endpoint=said.get("BlobEndpoint") or env.get("AZURE_STORAGE_BLOB_ENDPOINT") or "",
    )

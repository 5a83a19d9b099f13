"""The allowed places for an answer: CloudFormation's own buckets, and what the function's owner has added.

Everybody who may invoke the function writes its event, and so the URL.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-vpce-bucketnames.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

ORIGINS = "PREFLIGHT_RESPONSE_ORIGINS"
"""The environment variable for other origins, separated by commas, such as `http://127.0.0.1:4566`: those of emulators.

Only a person who may configure the function can set it. The entry `AWS_ENDPOINT_URL` means the origin in that variable,
in which an emulator gives its own address to each function.
"""

_ENDPOINT = "AWS_ENDPOINT_URL"

# The bucket's name contains its region without hyphens, and the bucket is in that region.
_BUCKET = re.compile(
    r"cloudformation-custom-resource-response-(?P<compact>[a-z0-9]+)\.s3"
    r"(?:-fips)?(?:\.dualstack)?[.-](?P<region>[a-z0-9-]+)\.(?P<suffix>[a-z0-9.-]+)"
)
# Only for the oldest region, S3's host names can omit the region.
_WITHOUT_REGION = "cloudformation-custom-resource-response-useast1.s3.amazonaws.com"
_SUFFIXES = {
    "cn": "amazonaws.com.cn",
    "us-iso": "c2s.ic.gov",
    "us-isob": "sc2s.sgov.gov",
    "us-isof": "csp.hci.ic.gov",
    "eu-isoe": "cloud.adc-e.uk",
    "eusc": "amazonaws.eu",
}
"""The suffixes of S3's host names by the prefix of a region's name, if it is not `amazonaws.com`; see
https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html"""

_REGION = re.compile(r"[a-z]{2,5}(-[a-z]{2,12}){1,3}-[0-9]{1,2}")
_PLAIN = re.compile(r"[!-~]+")


def refused(url: object, environment: Mapping[str, str]) -> str:
    """Why nothing is sent to `url`, or an empty string. The reason does not quote the URL, which is a credential.

    Args:
        url: the event's `ResponseURL`.
        environment: the function's environment variables.
    """
    if not isinstance(url, str) or not url:
        return "the event has no ResponseURL"
    if not _PLAIN.fullmatch(url) or "\\" in url:
        return "the ResponseURL contains characters that are not valid in a URL"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "the ResponseURL is not a URL"
    if "@" in parts.netloc:
        return "the ResponseURL contains a user name"
    if f"{parts.scheme}://{parts.netloc}" in _added(environment):
        return ""
    if parts.scheme != "https":
        return "the ResponseURL is not https"
    if port not in (None, 443):
        return "the ResponseURL has a port that is not CloudFormation's"
    return (
        ""
        if _is_cloudformations(parts.hostname or "")
        else "the host of the ResponseURL is not one of CloudFormation's"
    )


def _added(environment: Mapping[str, str]) -> set[str]:
    """The origins that the function's owner has added."""
    entries = {entry.strip() for entry in environment.get(ORIGINS, "").split(",")}
    if _ENDPOINT in entries:
        entries.add(environment.get(_ENDPOINT, ""))
    return {entry.rstrip("/") for entry in entries if "://" in entry}


def _is_cloudformations(host: str) -> bool:
    found = _BUCKET.fullmatch(host)
    if found is None or host == _WITHOUT_REGION:
        return host == _WITHOUT_REGION
    region = found["region"]
    prefixes = [prefix for prefix in _SUFFIXES if region.startswith(f"{prefix}-")]
    suffix = _SUFFIXES[prefixes[0]] if prefixes else "amazonaws.com"
    named = _REGION.fullmatch(region) and found["compact"] == region.replace("-", "")
    return bool(named) and found["suffix"] == suffix

"""Makes boto3 and moto fast enough for hundreds of tests, each with its own sessions and account.

What is patched here takes most of such a test's time, and no test needs it.
"""

from __future__ import annotations

import functools
import importlib
import sys
from typing import Any


def patch() -> None:
    """Patches what the collected tests have imported."""
    if "botocore.session" in sys.modules:
        _share_what_botocore_reads(sys.modules["botocore.session"])
        _one_user_agent(importlib.import_module("botocore.useragent"))
    if "moto.core.models" in sys.modules:
        _boto3_alone(sys.modules["moto.core.models"])
        _names_of_methods(importlib.import_module("moto.core.responses"))
        _one_private_key(importlib.import_module("moto.kms.models"))


def _share_what_botocore_reads(session: Any) -> None:
    """Reads the files that describe AWS's services, 6 MB of JSON, only once instead of for each session."""
    kept = functools.cache(session.create_loader)

    def create_loader(search_path: str | None = None) -> Any:
        loader = kept(search_path)
        # Each session of boto3 adds its own folder.
        loader.search_paths[:] = dict.fromkeys(loader.search_paths)
        return loader

    session.create_loader = create_loader


def _one_user_agent(useragent: Any) -> None:
    """Does not describe the machine and the client anew in the headers of each request."""
    useragent.UserAgentString.to_string = lambda _: "boto3"


def _names_of_methods(responses: Any) -> None:
    """Finds the names of what a service of moto answers once, instead of for each request."""
    responses.method_names_from_class = functools.cache(responses.method_names_from_class)


def _boto3_alone(models: Any) -> None:
    """Skips the thousands of patterns with which moto answers calls of `requests`, because only boto3 makes calls."""
    models.RESPONSES_METHODS.clear()


def _one_private_key(models: Any) -> None:
    """Generates only once the key pair that moto gives a KMS key. No test signs with it."""
    models.generate_private_key = functools.cache(models.generate_private_key)

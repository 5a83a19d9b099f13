"""The only module that calls AWS: the calls are limited in number and time, and each failure has a reason.

https://docs.aws.amazon.com/boto3/latest/guide/error-handling.html
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    TokenRetrievalError,
)
from botocore.exceptions import (
    ConnectionError as BotoConnectionError,
)

from ecs_exec_role.errors import one_line

if TYPE_CHECKING:
    import boto3

# The time-out for one endpoint is short enough for several endpoints in the function's time.
CONFIG = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 4},
    max_pool_connections=16,
)
MAX_CALLS = 1000
"""The most calls of one check. No role can have so many needs that it takes more."""

MAX_CLIENTS = 40
"""The most clients of one check, one for each service in each region: each takes time and memory."""

_REGION = re.compile(r"[a-z]{2,5}(-[a-z]{2,12}){1,3}-[0-9]{1,2}")
_DENIED = ("AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation", "403")
_THROTTLED = (
    "Throttling", "ThrottlingException", "ThrottledException", "TooManyRequestsException", "RequestLimitExceeded",
    "RequestThrottled", "RequestThrottledException", "LimitExceededException", "SlowDown", "BandwidthLimitExceeded",
    "PriorRequestNotComplete", "TransactionInProgressException", "429",
)  # fmt: skip
_CREDENTIALS = (
    "AuthFailure", "ExpiredToken", "ExpiredTokenException", "IncompleteSignature", "InvalidAccessKeyId",
    "InvalidClientTokenId", "InvalidSecurity", "InvalidSignatureException", "InvalidToken",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException", "NotAuthorized", "OptInRequired", "RequestExpired", "RequestTimeTooSkewed",
    "SignatureDoesNotMatch", "TokenRefreshRequired", "UnrecognizedClientException",
)  # fmt: skip
# botocore's code of an error without a code.
_NO_CODE = ("", "Unknown", "None")
_NO_CREDENTIALS = (NoCredentialsError, PartialCredentialsError, TokenRetrievalError)
# The permission of an operation, if it has another name.
_PERMISSIONS = {"s3:ListObjectsV2": "s3:ListBucket", "s3:HeadBucket": "s3:ListBucket"}


class Failure(StrEnum):
    """Why a call has no usable answer. `ANSWERED` is an error code that answers the question."""

    ANSWERED = "answered"
    DENIED = "denied"
    THROTTLED = "throttled"
    CREDENTIALS = "credentials"
    UNREACHABLE = "unreachable"
    BROKEN = "broken"
    UNREADABLE = "unreadable"
    LIMIT = "limit"


class CallError(Exception):
    """A call that did not return what was requested.

    `code` is AWS's error code, or the name of the exception; `said` is AWS's own text, which can name things of the
    account, so only the log has it.
    """

    def __init__(self, permission: str, reason: Failure, code: str = "", said: str = "") -> None:
        super().__init__(f"{permission}: {reason} {code}")
        self.permission, self.reason, self.code, self.said = permission, reason, code, said

    @property
    def why(self) -> str:
        """Why nothing is known, as a clause."""
        return {
            Failure.ANSWERED: f"{self.permission} answered {self.code}",
            Failure.DENIED: f"the check itself is not allowed {self.permission}",
            Failure.THROTTLED: f"AWS throttled each attempt of {self.permission}",
            Failure.CREDENTIALS: f"there are no valid AWS credentials for {self.permission}",
            Failure.UNREACHABLE: f"the API for {self.permission} could not be reached, {self.code}",
            Failure.BROKEN: f"the API for {self.permission} failed, {self.code}",
            Failure.UNREADABLE: f"the reply to {self.permission} could not be read, {self.code}",
            Failure.LIMIT: f"the check ends at {self.code}, before it called {self.permission}",
        }[self.reason]

    @property
    def fix(self) -> str:
        """What to do about it."""
        return {
            Failure.ANSWERED: "look up that error code of the service",
            Failure.DENIED: f"allow {self.permission} to the identity that runs the check; the role does not need it",
            Failure.THROTTLED: "deploy again later",
            Failure.CREDENTIALS: "log in again, or select another profile",
            Failure.UNREACHABLE: "check the network of the function or machine that runs the check, then deploy again",
            Failure.BROKEN: "deploy again later",
            Failure.UNREADABLE: (
                "check the proxy and the endpoint of the function or machine that runs the check, then deploy again"
            ),
            Failure.LIMIT: "give the definitions roles of their own, or split the stack",
        }[self.reason]

    @property
    def told(self) -> str:
        """The same for the person whose credentials were used: why there is no answer, AWS's text, and what to do."""
        why = {
            Failure.ANSWERED: f"{self.permission} answered {self.said or self.code}",
            Failure.DENIED: f"your credentials are not allowed {self.permission}",
        }.get(self.reason, self.why)
        fix = {
            Failure.ANSWERED: "check the name, and the account and region of your credentials",
            Failure.DENIED: f"allow {self.permission} to yourself",
            Failure.THROTTLED: "try again later",
            Failure.UNREACHABLE: "check the network of this machine, then try again",
            Failure.BROKEN: "try again later",
            Failure.UNREADABLE: "check the proxy and the endpoint that this machine uses, then try again",
        }.get(self.reason, self.fix)
        return f"{one_line(why)}; {fix}"


class Reply:
    """The reply of an operation. Reading a member that is not as expected is a `CallError`."""

    def __init__(self, permission: str, content: Mapping[str, Any]) -> None:
        self._permission, self._content = permission, content

    def unreadable(self, key: str) -> CallError:
        """The error for a member that is not as it must be."""
        return CallError(self._permission, Failure.UNREADABLE, f"no usable {key}")

    def text(self, key: str, default: str | None = None) -> str:
        """A string; without `default` it must exist."""
        value = self._content.get(key, default)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            raise self.unreadable(key)
        return value

    def reply(self, key: str) -> Reply:
        """A structure that must exist."""
        value = self._content.get(key)
        if not isinstance(value, Mapping):
            raise self.unreadable(key)
        return Reply(self._permission, value)

    def maybe(self, key: str) -> Reply:
        """A structure; empty if there is none."""
        return self.reply(key) if self._content.get(key) is not None else Reply(self._permission, {})

    def replies(self, key: str) -> list[Reply]:
        """A list of structures; empty if there is none."""
        return [Reply(self._permission, value) for value in self.mappings(key)]

    def mappings(self, key: str) -> list[Mapping[str, Any]]:
        """The same as plain values, for code that passes them on."""
        values = self._content.get(key)
        if values is None:
            return []
        if not isinstance(values, list) or not all(isinstance(value, Mapping) for value in values):
            raise self.unreadable(key)
        return values

    def some(self, key: str) -> list[Reply]:
        """A list of structures that must have an entry."""
        found = self.replies(key)
        if not found:
            raise self.unreadable(key)
        return found

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings; empty if there is none."""
        values = self._content.get(key)
        if values is None:
            return ()
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise self.unreadable(key)
        return tuple(values)

    def statements(self, key: str) -> list[Mapping[str, Any]]:
        """The statements of a policy document, as IAM holds them."""
        document = self._content.get(key)
        found = document.get("Statement") if isinstance(document, Mapping) else None
        listed: list[Any] = found if isinstance(found, list) else [found]
        if not all(isinstance(each, Mapping) and "Effect" in each for each in listed):
            raise self.unreadable(key)
        return listed

    def __contains__(self, key: str) -> bool:
        return self._content.get(key) is not None

    def names(self) -> tuple[str, ...]:
        """The names of the members."""
        return tuple(map(str, self._content))

    def raw(self, key: str) -> Any:
        """The value without a check, which the caller makes."""
        return self._content.get(key)


class Aws:
    """AWS with the credentials of one session. Its methods can be called from several threads."""

    def __init__(self, session: boto3.session.Session) -> None:
        self._session = session
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()
        self.calls: Counter[str] = Counter()

    def call(self, service: str, region: str, operation: str, **parameters: Any) -> Reply:
        """Calls one operation.

        Raises:
            CallError: for every other error of boto3 or AWS.
        """
        name = f"{service}:{operation}"
        permission = _PERMISSIONS.get(name, name)
        client = self._client(service, region, name, permission)
        try:
            content = getattr(client, xform_name(operation))(**parameters)
        except ClientError as error:
            raise _client_error(error, permission) from error
        except (HTTPClientError, BotoConnectionError) as error:
            raise CallError(permission, Failure.UNREACHABLE, type(error).__name__, str(error)) from error
        except _NO_CREDENTIALS as error:
            raise CallError(permission, Failure.CREDENTIALS, type(error).__name__, str(error)) from error
        except BotoCoreError as error:
            raise CallError(permission, Failure.ANSWERED, type(error).__name__, str(error)) from error
        except Exception as error:
            # A reply that botocore cannot parse raises the errors of its parsers, which are not BotoCoreErrors.
            raise CallError(permission, Failure.UNREADABLE, type(error).__name__, str(error)) from error
        if not isinstance(content, Mapping):
            raise CallError(permission, Failure.UNREADABLE, type(content).__name__)
        return Reply(permission, content)

    def pages(self, service: str, region: str, operation: str, *, next_page: str, **parameters: Any) -> Iterator[Reply]:
        """Calls one operation until it has returned all pages. `next_page` is the member that leads to the next page.

        Raises:
            CallError: as `call`; also if a page leads to one that was read already.
        """
        seen: set[str] = set()
        while True:
            page = self.call(service, region, operation, **parameters)
            yield page
            following = page.text(next_page, "")
            if not following:
                return
            if following in seen:
                raise page.unreadable(next_page)
            seen.add(following)
            parameters[next_page] = following

    def _client(self, service: str, region: str, name: str, permission: str) -> Any:
        if not _REGION.fullmatch(region):
            # The region becomes part of a host's name.
            raise CallError(permission, Failure.ANSWERED, "InvalidRegion")
        with self._lock:
            if self.calls.total() >= MAX_CALLS:
                raise CallError(permission, Failure.LIMIT, f"{MAX_CALLS} calls")
            client = self._clients.get((service, region))
            if client is None:
                if len(self._clients) >= MAX_CLIENTS:
                    raise CallError(permission, Failure.LIMIT, f"{MAX_CLIENTS} services and regions")
                # Threads can share clients, but not make one at the same time.
                try:
                    client = self._session.client(service, region_name=region, config=CONFIG)  # type: ignore[call-overload]
                except (BotoCoreError, ValueError) as error:
                    raise CallError(permission, Failure.ANSWERED, type(error).__name__, str(error)) from error
                self._clients[service, region] = client
            self.calls[name] += 1
        return client


def _client_error(error: ClientError, permission: str) -> CallError:
    content = error.response.get("Error") or {}
    code = str(content.get("Code", ""))[:100]
    said = str(content.get("Message", ""))[:1000]
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _NO_CODE:
        # No API of AWS answers like this: it is the page of a proxy or of a gateway.
        reason = Failure.BROKEN if status >= 500 else Failure.UNREADABLE
        return CallError(permission, reason, f"HTTP {status} without an error code", said)
    if code in _DENIED:
        return CallError(permission, Failure.DENIED, code, said)
    if code in _THROTTLED:
        return CallError(permission, Failure.THROTTLED, code, said)
    if code in _CREDENTIALS:
        return CallError(permission, Failure.CREDENTIALS, code, said)
    if status >= 500:
        return CallError(permission, Failure.BROKEN, code, said)
    return CallError(permission, Failure.ANSWERED, code, said)

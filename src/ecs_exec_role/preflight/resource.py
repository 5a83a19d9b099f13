"""crhelper's custom resource, with what a preflight needs otherwise.

crhelper brings the dispatch by request type, the answer to every exception and the timer before the function is cut
off. Here it is kept from inventing physical IDs, from cutting a reason to its last 240 letters, from waiting on a
delete, from sending without an end, and from logging the response URL, which is as good as a password while it lasts.
https://github.com/aws-cloudformation/custom-resource-helper
"""

from __future__ import annotations

import logging
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools import Logger
from crhelper import CfnResource

from ecs_exec_role.preflight.answer import FAILED, SUCCESS, Answer, body

# Left for the last resort: to answer that there was no time, over a fresh connection.
LAST_RESORT = 2.0
_TRIES = 4


class PreflightResource(CfnResource):
    """A `CfnResource` whose functions leave their `Answer` in `said`."""

    @property
    def _sam_local(self) -> bool:
        """What keeps crhelper from polling, and from making three AWS clients for it at every cold start."""
        return True

    @_sam_local.setter
    def _sam_local(self, _: object) -> None:
        """Nothing in the environment changes that."""

    def __init__(self, logger: Logger) -> None:
        super().__init__(log_level="WARNING", boto_level="ERROR", sleep_on_delete=0)
        # crhelper logs the whole event, URL included, at DEBUG; no setting of the root logger may bring that back.
        logging.getLogger("crhelper").setLevel(logging.WARNING)
        self._log = logger
        self._lock = threading.Lock()
        self.said: Answer | None = None
        self.mode = "Fail"

    def __call__(self, event: dict[str, Any], context: Any) -> None:
        # The instance lives as long as its container: nothing of the last invocation may answer for this one.
        self._response_url = ""
        self._answered = False
        self.said = None
        self.mode = "Fail"
        self.Reason = self.PhysicalResourceId = self.StackId = self.RequestId = self.LogicalResourceId = ""
        self._event, self._context = event, context
        super().__call__(event, context)

    def generate_physical_id(self, event: Mapping[str, Any]) -> str:
        """The same for the same resource, for ever: another one would make CloudFormation replace it."""
        kept = event.get("PhysicalResourceId")
        if isinstance(kept, str) and kept:
            return kept
        stack = str(event.get("StackId", "")).rpartition(":stack/")[2].split("/")[0]
        return f"preflight-{stack}-{event.get('LogicalResourceId', '')}"

    def _set_timeout(self) -> None:
        seconds = max(0.0, self._context.get_remaining_time_in_millis() / 1000 - LAST_RESORT)
        self._timer = threading.Timer(seconds, self._timeout)
        self._timer.daemon = True
        self._timer.start()

    def _timeout(self) -> None:
        self._log.error("The function's time is nearly over; answering without a result")
        self._send(FAILED, "The preflight ran into its function's timeout before it had a result")

    def _send(self, status: str | None = None, reason: str = "", _send_response: object = None) -> None:
        """The one answer of this invocation; a second one is not sent."""
        with self._lock:
            if self._answered:
                return
            self._answered = True
        said = self.said
        if said is None or status:
            outcome = status or self.Status
            if outcome == FAILED and self.mode == "Warn":
                outcome = SUCCESS
            text = reason or str(self.Reason)
            fix = "see the function's log, or deploy with Preflight: Warn"
            said = Answer(outcome, f"{text}; {fix}" if text else "")
        envelope = {
            "StackId": self.StackId,
            "RequestId": self.RequestId,
            "LogicalResourceId": self.LogicalResourceId,
            "PhysicalResourceId": self.generate_physical_id(self._event),
        }
        log = f"log group {getattr(self._context, 'log_group_name', '') or 'of the preflight function'}"
        self._put(body(envelope, said, log=log))

    def _put(self, content: bytes) -> None:
        if not self._response_url.startswith(("https://", "http://")):
            self._log.error("The event has no ResponseURL; nobody can be answered")
            return
        for attempt in range(1, _TRIES + 1):
            if self._taken(content, attempt):
                return
            if attempt < _TRIES:
                time.sleep(0.5 * attempt)
        self._log.error("The answer could not be delivered; CloudFormation will wait until its own timeout")

    def _taken(self, content: bytes, attempt: int) -> bool:
        try:
            # The URL is signed for no content type.
            headers = {"Content-Type": ""}
            request = urllib.request.Request(self._response_url, data=content, method="PUT", headers=headers)  # noqa: S310
            with urllib.request.urlopen(request, timeout=5) as response:  # noqa: S310
                self._log.info("CloudFormation took the answer", http_status=response.status)
        except (OSError, ValueError) as error:
            # Of an error only the kind is logged: its text may have the URL in it.
            code = error.code if isinstance(error, urllib.error.HTTPError) else None
            kind = type(error).__name__
            self._log.warning("The answer was not taken", attempt=attempt, error=kind, http_status=code)
            return False
        return True

"""crhelper's custom resource, adapted to a preflight.

crhelper has the dispatch by request type, an answer for every exception and a timer for the end of the function's time.
Here it must not generate physical IDs, cut a reason to its last 240 characters, wait on a delete, send to any URL or
without end, or log the response URL, with which everybody can answer while it is valid.
https://github.com/aws-cloudformation/custom-resource-helper
"""

from __future__ import annotations

import logging
import os
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

from aws_lambda_powertools import Logger
from crhelper import CfnResource

from ecs_exec_role.preflight.response import FAILED, SUCCESS, Answer, body, warned
from ecs_exec_role.preflight.response_url import refused
from ecs_exec_role.preflight.stack import NotKnown

MAX_LAST_RESORT = 10.0
"""The most seconds for the final answer without a result; a short time gives it a quarter."""

_ATTEMPT = 10.0
# The time that is reserved at the end to log and return the exception if the delivery fails.
_MARGIN = 0.5
_SHORTEST_ATTEMPT = 0.2
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.1, 8.0
_LAST_ATTEMPT = 2.0
# The most seconds to wait for whether the stack is rolled back; CloudFormation was asked at the beginning.
_FINDING_OUT = 3.0
_NOT_TOLD = NotKnown("CloudFormation did not answer in time", "deploy again later")


class NotDeliveredError(Exception):
    """CloudFormation has no answer. Lambda invokes the function again after this, and counts an error."""


class PreflightResource(CfnResource):
    """A `CfnResource` whose functions leave their `Answer` in `said`."""

    @property
    def _sam_local(self) -> bool:
        """Prevents crhelper from polling, and from making three AWS clients for it at each cold start."""
        return True

    @_sam_local.setter
    def _sam_local(self, _: object) -> None:
        """Nothing in the environment changes that."""

    def __init__(self, logger: Logger) -> None:
        super().__init__(log_level="WARNING", boto_level="ERROR", sleep_on_delete=0)
        # crhelper logs the complete event, with the URL, at DEBUG. No setting of the root logger must enable this.
        logging.getLogger("crhelper").setLevel(logging.WARNING)
        self._log = logger
        self._lock = threading.Lock()
        self.find_out_rolling_back: Callable[[Mapping[str, Any]], bool | NotKnown] = lambda _event: _NOT_TOLD
        self._reset({}, None)

    def _reset(self, event: Mapping[str, Any], context: Any) -> None:
        """The instance lives as long as its container: it must keep nothing of the last invocation."""
        self._response_url = ""
        self._answered = self._delivered = False
        self.said: Answer | None = None
        self.mode = "Fail"
        self.Reason = self.PhysicalResourceId = self.StackId = self.RequestId = self.LogicalResourceId = ""
        self._event, self._context = event, context
        self._rolling_back: list[bool | NotKnown] = []
        self._finding_out: threading.Thread | None = None
        self._end = time.monotonic() + (context.get_remaining_time_in_millis() / 1000 if context else 0.0)

    def __call__(self, event: Mapping[str, Any], context: Any) -> None:
        """Answers one request of CloudFormation.

        Raises:
            NotDeliveredError: CloudFormation did not accept the answer.
        """
        self._reset(event, context)
        reason = refused(event.get("ResponseURL"), os.environ)
        if reason:
            # Without a place for the answer, nothing is checked.
            self._log.error("No answer is sent", reason=reason)
            raise NotDeliveredError(reason)
        if event.get("RequestType") == "Update":
            found, find_out = self._rolling_back, self.find_out_rolling_back
            self._finding_out = threading.Thread(
                target=lambda: found.append(find_out(event)), name="rolling-back", daemon=True
            )
            self._finding_out.start()
        super().__call__(event, context)
        if not self._delivered:
            reason = "CloudFormation did not take the answer"
            raise NotDeliveredError(reason)

    @property
    def remaining(self) -> float:
        """Seconds until Lambda ends the function."""
        return self._end - time.monotonic()

    @property
    def last_resort(self) -> float:
        """Seconds before its end at which the function answers without a result."""
        return min(MAX_LAST_RESORT, self.remaining / 4)

    def generate_physical_id(self, event: Mapping[str, Any]) -> str:
        """Always the same for the same resource: with another ID, CloudFormation would replace it."""
        kept = event.get("PhysicalResourceId")
        if isinstance(kept, str) and kept:
            return kept
        stack = str(event.get("StackId", "")).rpartition(":stack/")[2].split("/")[0]
        return f"preflight-{stack}-{event.get('LogicalResourceId', '')}"

    def _set_timeout(self) -> None:
        seconds = max(0.0, self.remaining - self.last_resort)
        self._timer = threading.Timer(seconds, self._timeout)
        self._timer.daemon = True
        self._timer.start()

    def _timeout(self) -> None:
        if self._answered:
            return
        self._log.error("The function's time is nearly over; answering without a result")
        self._send(FAILED, "The preflight ran into its function's timeout before it had a result")

    def _send(self, status: str | None = None, reason: str = "", _send_response: object = None) -> None:
        """The only answer of this invocation; a second one is not sent."""
        # The answer is made before the timer stops, so that the timer can answer if this takes too long.
        content = self._content(status, reason)
        with self._lock:
            if self._answered:
                return
            self._answered = True
        self._deliver(content)

    def _content(self, status: str | None, reason: str) -> bytes:
        said = self.said
        if said is None or status:
            text = reason or str(self.Reason)
            fix = "see the function's log, or deploy with Preflight: Warn"
            said = self._lenient(Answer(status or self.Status, f"{text}; {fix}" if text else "The preflight failed"))
        envelope = {
            "StackId": self.StackId,
            "RequestId": self.RequestId,
            "LogicalResourceId": self.LogicalResourceId,
            "PhysicalResourceId": self.generate_physical_id(self._event),
        }
        log = f"log group {getattr(self._context, 'log_group_name', '') or 'of the preflight function'}"
        return body(envelope, said, log=log)

    def _lenient(self, said: Answer) -> Answer:
        """The answer, without failing a deletion or a rollback."""
        kind = self._event.get("RequestType")
        if said.status != FAILED:
            return said
        if kind == "Delete":
            return warned(said, "A preflight leaves nothing behind, so there is nothing to delete")
        if self.mode == "Warn":
            return said._replace(status=SUCCESS)
        return self.unless_rolling_back(said)

    def unless_rolling_back(self, said: Answer) -> Answer:
        """An answer that does not fail the rollback of an update.

        A failure would leave the stack in UPDATE_ROLLBACK_FAILED, and the old state has worked before. If it is not
        known whether the stack is rolled back, a missed failure does less harm than an additional one.
        """
        if said.status != FAILED or self._event.get("RequestType") != "Update":
            return said
        if self._finding_out:
            self._finding_out.join(max(0.0, min(_FINDING_OUT, self.remaining / 3)))
        rolling_back = self._rolling_back[0] if self._rolling_back else _NOT_TOLD
        if rolling_back is False:
            return said
        if rolling_back is True:
            return warned(said, "The update is being rolled back, so that this does not fail the stack")
        why = "It is not known whether the stack is being rolled back, so that this does not fail it"
        return warned(said, f"{why}: {rolling_back.why}; {rolling_back.fix}")

    def _deliver(self, content: bytes) -> None:
        """Sends the answer until CloudFormation accepts it or the function's time is nearly over."""
        attempt, pause = 0, 0.5
        while (left := self.remaining - _MARGIN) > _SHORTEST_ATTEMPT or attempt == 0:
            attempt += 1
            if self._taken(content, attempt, max(_SHORTEST_ATTEMPT, min(_ATTEMPT, left))):
                self._delivered = True
                return
            # The last pause leaves time for one more attempt.
            time.sleep(max(_SHORTEST_PAUSE, min(pause, self.remaining - _MARGIN - _LAST_ATTEMPT)))
            pause = min(2 * pause, _LONGEST_PAUSE)
        self._log.error("The answer could not be delivered; CloudFormation waits for another one", attempts=attempt)

    def _taken(self, content: bytes, attempt: int, seconds: float) -> bool:
        """One attempt, which ends after some seconds: a socket's own time-out restarts with each byte."""
        outcome: list[bool] = []
        thread = threading.Thread(
            target=lambda: outcome.append(self._put(content, attempt, seconds)), name="answer", daemon=True
        )
        thread.start()
        thread.join(seconds)
        if not outcome:
            self._log.warning("The answer was not taken in time", attempt=attempt)
        return outcome == [True]

    def _put(self, content: bytes, attempt: int, seconds: float) -> bool:
        try:
            # The URL is signed without a content type.
            headers = {"Content-Type": ""}
            request = urllib.request.Request(self._response_url, data=content, method="PUT", headers=headers)  # noqa: S310 - it was checked
            with urllib.request.urlopen(request, timeout=seconds) as response:  # noqa: S310
                self._log.info("CloudFormation took the answer", http_status=response.status)
        except Exception as error:  # noqa: BLE001 - the next attempt follows
            # Only the type of an error is logged: its text can contain the URL.
            code = error.code if isinstance(error, urllib.error.HTTPError) else None
            kind = type(error).__name__
            self._log.warning("The answer was not taken", attempt=attempt, error=kind, http_status=code)
            return False
        return True

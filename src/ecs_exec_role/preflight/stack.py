"""The stack that requests the check."""

from __future__ import annotations

from ecs_exec_role.named_tuple import NamedTuple
from ecs_exec_role.preflight.arns import parse_arn
from ecs_exec_role.preflight.aws import Aws, CallError


class NotKnown(NamedTuple):
    """Why something is not known, as a clause, and what to do about it."""

    why: str
    fix: str


class OwnStack(NamedTuple):
    """The stack that requests the check, by its ID."""

    id: str

    @property
    def region(self) -> str:
        """The region of the stack."""
        arn = parse_arn(self.id)
        return arn.region if arn else ""

    def rolling_back(self, aws: Aws) -> bool | NotKnown:
        """Whether CloudFormation rolls back an update of this stack."""
        try:
            reply = aws.call("cloudformation", self.region, "DescribeStacks", StackName=self.id)
            statuses = [stack.text("StackStatus") for stack in reply.some("Stacks")]
        except CallError as error:
            return NotKnown(error.why, error.fix)
        return any("ROLLBACK" in status for status in statuses)

    def owns(self, aws: Aws, logical_id: str, role_arn: str) -> bool:
        """Whether a role is the stack's own, with this logical ID; False if that is not known.

        https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackResource.html
        """
        try:
            reply = aws.call(
                "cloudformation", self.region, "DescribeStackResource",
                StackName=self.id, LogicalResourceId=logical_id,
            )  # fmt: skip
            found = reply.reply("StackResourceDetail").text("PhysicalResourceId", "")
        except CallError:
            return False
        return found == role_arn.rpartition("/")[2]

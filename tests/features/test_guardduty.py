"""What `GuardDuty` grants: pulling the agent of the region."""

from __future__ import annotations

from tests.support.contract import (
    CONDITIONS,
    expanded,
    granted,
    grants,
    one,
    pull,
)


def test_guardduty_agent_of_this_region() -> None:
    agent = "arn:aws:ecr:us-east-1:593207742271:repository/aws-guardduty-agent-fargate"
    assert granted({"GuardDuty": True}) == pull(agent)
    assert granted({"GuardDuty": "true"}) == pull(agent)
    assert granted({"GuardDuty": False}) == set()


def test_guardduty_agent_of_another_region_and_partition() -> None:
    agent = "arn:aws-us-gov:ecr:us-gov-west-1:383110348953:repository/aws-guardduty-agent-fargate"
    assert granted({"GuardDuty": True}, stack={"region": "us-gov-west-1"}) == pull(agent)
    tokyo = "arn:aws:ecr:ap-northeast-1:533107202818:repository/aws-guardduty-agent-fargate"
    assert granted({"GuardDuty": True}, stack={"region": "ap-northeast-1"}) == pull(tokyo)


def test_guardduty_under_a_condition() -> None:
    fragment = expanded(one(spec={"GuardDuty": {"Fn::If": ["C", True, False]}}, **CONDITIONS))
    assert len(grants(fragment, conditions={"C": True})) == 4
    assert grants(fragment, conditions={"C": False}) == set()

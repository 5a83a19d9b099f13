"""What `GuardDuty` grants: pulling the agent of the region."""

from __future__ import annotations

import re

import botocore.session
from tests.support.contract import (
    CONDITIONS,
    expanded,
    granted,
    grants,
    one,
    pull,
)
from tests.support.event import event

from ecs_exec_role.features import guardduty
from ecs_exec_role.pipeline import expand


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


def test_the_accounts_of_the_agent_are_accounts_in_regions_of_aws() -> None:
    """Each region has an account of its own, so an account that is there twice was copied into a wrong line."""
    session = botocore.session.get_session()
    regions = {
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("guardduty", partition)
    }
    accounts = list(guardduty.ACCOUNTS.values())

    assert set(guardduty.ACCOUNTS) <= regions
    assert all(re.fullmatch("[0-9]{12}", account) for account in accounts)
    assert len(set(accounts)) == len(accounts)


def test_a_region_without_a_known_account_has_the_agent_of_any_account() -> None:
    for region, partition in (("ap-southeast-6", "aws"), ("cn-north-1", "aws-cn"), ("xx-new-1", "aws")):
        assert region not in guardduty.ACCOUNTS

        found = granted({"GuardDuty": True}, stack={"region": region})

        assert found == pull(f"arn:{partition}:ecr:{region}:*:repository/aws-guardduty-agent-fargate")


def test_each_need_names_an_image_of_any_account_as_iam_writes_it() -> None:
    [plan] = expand(event(one(spec={"GuardDuty": True}), region="ap-southeast-6")).roles
    agent = "*.dkr.ecr.ap-southeast-6.amazonaws.com/aws-guardduty-agent-fargate"
    assert {need.target for need in plan.needs} == {agent}

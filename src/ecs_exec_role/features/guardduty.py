"""Pulling the agent of GuardDuty Runtime Monitoring, which GuardDuty adds to Fargate tasks.

No template shows it: the setting is the account's or the cluster's. So a spec must say `GuardDuty: true`. The agent
is in a repository of AWS, in one account for each region.
"""

from __future__ import annotations

from ecs_exec_role.features import images
from ecs_exec_role.needs.context import InferenceContext, ListEntry
from ecs_exec_role.needs.feature import FLAG, Feature, Key
from ecs_exec_role.needs.need import Grant
from ecs_exec_role.services import ecr
from ecs_exec_role.template.reader import Alternative
from ecs_exec_role.template.symbols import MANY, REGION, SymbolicText

PULL = Grant("PullGuardDutyAgent", images.PULL.actions, "Image")

REPOSITORY = "aws-guardduty-agent-fargate"

ACCOUNTS = {
    "us-east-1": "593207742271",
    "us-east-2": "307168627858",
    "us-west-1": "684579721401",
    "us-west-2": "733349766148",
    "ca-central-1": "354763396469",
    "ca-west-1": "339712888787",
    "mx-central-1": "311141559934",
    "sa-east-1": "758426053663",
    "af-south-1": "197869348890",
    "ap-east-1": "258348409381",
    "ap-east-2": "259886477082",
    "ap-northeast-1": "533107202818",
    "ap-northeast-2": "914738172881",
    "ap-northeast-3": "273192626886",
    "ap-south-1": "251508486986",
    "ap-south-2": "950823858135",
    "ap-southeast-1": "174946120834",
    "ap-southeast-2": "005257825471",
    "ap-southeast-3": "510637619217",
    "ap-southeast-4": "251357961535",
    "ap-southeast-5": "156041399949",
    "ap-southeast-7": "054037130133",
    "eu-central-1": "323658145986",
    "eu-central-2": "529164026651",
    "eu-north-1": "591436053604",
    "eu-south-1": "266869475730",
    "eu-south-2": "919611009337",
    "eu-west-1": "694911143906",
    "eu-west-2": "892757235363",
    "eu-west-3": "665651866788",
    "il-central-1": "870907303882",
    "me-central-1": "000014521398",
    "me-south-1": "536382113932",
    "us-gov-east-1": "383115532789",
    "us-gov-west-1": "383110348953",
}
"""The account of the agent's repository in each region.

See https://docs.aws.amazon.com/guardduty/latest/ug/ecs-runtime-agent-ecr-image-uri.html
"""


def declare(ctx: InferenceContext, entry: ListEntry) -> None:
    """Adds the needs of `GuardDuty: true`; on any account's repository if the region's account is not known here."""
    for path_condition, required in ctx.choices(entry.value, FLAG):
        if required:
            region = ctx.reader.template.region
            account = SymbolicText(ACCOUNTS.get(region, MANY))
            repository = ecr.in_registry(account, REGION, SymbolicText(REPOSITORY))
            suffix = ctx.reader.template.url_suffix
            image = f"{account}.dkr.ecr.{region}.{suffix}/{REPOSITORY}"
            place = Alternative(path_condition, image, entry.value.path)
            images.pulls(ctx, repository, place, image, grant=PULL)


FEATURE = Feature(
    id="guardduty",
    title="GuardDuty agent",
    docs="https://docs.aws.amazon.com/guardduty/latest/ug/prereq-runtime-monitoring-ecs-support.html",
    grants=(PULL,),
    keys={
        Key(
            "GuardDuty",
            "choice",
            "Pull the agent that GuardDuty Runtime Monitoring adds to Fargate tasks.",
            (True,),
            FLAG,
            default=False,
        ): declare
    },
)

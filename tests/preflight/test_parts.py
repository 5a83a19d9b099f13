"""The parts of the check that are functions of plain data."""

from __future__ import annotations

from typing import Any

import pytest

from ecs_exec_role.preflight.arns import fill, is_pattern, matches, parse_arn, parse_image
from ecs_exec_role.preflight.decisions import Boundary, trust
from ecs_exec_role.preflight.needs import CheckedNeed, read_needs, read_request
from ecs_exec_role.preflight.report import OK, Result, RoleCheck, Status, Verdict
from ecs_exec_role.preflight.simulation import Known, Question, batches, questions_of
from ecs_exec_role.preflight.targets import Scope, target_of

HERE = Scope("aws", "123456789012", "us-east-1")
ROLE = "arn:aws:iam::123456789012:role/web"


@pytest.mark.parametrize(
    "pattern, text, same",
    [
        ("arn:aws:logs:*:log-group:/a:*", "arn:aws:logs:us-east-1:1:log-group:/a:log-stream:x/y", True),
        ("secret:shop-??????", "secret:shop-a1B2c3", True),
        ("secret:shop-??????", "secret:shop-card-a1B2c3", False),
        ("a${*}b", "a*b", True),
        ("a${*}b", "axb", False),
        ("a${$}{b", "a${b", True),
        ("a[b].", "a[b].", True),
        ("a[b].", "abx", False),
        ("Key", "key", False),
    ],
)
def test_wildcards_are_iam_s(pattern: str, text: str, same: bool) -> None:
    assert matches(pattern, text) is same


@pytest.mark.parametrize("text", ["a*", "a?", "arn:aws:s3:::b/${*}*"])
def test_a_filled_pattern_is_one_that_it_matches(text: str) -> None:
    assert is_pattern(text)
    assert matches(text, fill(text))
    assert not is_pattern(fill("a-*-?"))


def test_an_escaped_asterisk_is_not_a_wildcard() -> None:
    assert not is_pattern("arn:aws:s3:::b/${*}.env")
    assert fill("arn:aws:s3:::b/${*}.env") == "arn:aws:s3:::b/*.env"


@pytest.mark.parametrize("text", ["", "web", "arn:aws", "arn::s3:::b", "arn:aws:s3:::"])
def test_what_is_not_an_arn(text: str) -> None:
    assert parse_arn(text) is None


@pytest.mark.parametrize(
    "uri, expected",
    [
        ("123456789012.dkr.ecr.us-east-1.amazonaws.com/a/b:1", ("123456789012", "us-east-1", "a/b", "1", "")),
        ("012345678901.dkr.ecr.cn-north-1.amazonaws.com.cn/a", ("012345678901", "cn-north-1", "a", "", "")),
        ("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com/a", ("123456789012", "us-gov-west-1", "a", "", "")),
        ("123456789012.dkr-ecr.eu-west-1.on.aws/a@sha256:ab", ("123456789012", "eu-west-1", "a", "", "sha256:ab")),
        ("123456789012.DKR.ECR.us-east-1.amazonaws.com/a:1@x:ab", ("123456789012", "us-east-1", "a", "1", "x:ab")),
        ("https://123456789012.dkr.ecr.us-east-1.amazonaws.com/a:1", ("123456789012", "us-east-1", "a", "1", "")),
        # The form of an emulator's registry.
        ("123456789012.dkr.ecr.us-east-1.localhost:4566/a:1", ("123456789012", "us-east-1", "a", "1", "")),
        ("public.ecr.aws/nginx/nginx:1", None),
        ("web", None),
    ],
)  # fmt: skip
def test_images(uri: str, expected: tuple[str, ...] | None) -> None:
    image = parse_image(uri)
    assert image == expected


def _need(**fields: Any) -> CheckedNeed:
    (need,), problems = read_needs(
        [{"Path": "P", "Actions": ["s3:GetObject"], "Resources": ["arn:aws:s3:::b/k"]} | fields]
    )
    assert not problems
    return need


def test_a_need_may_write_one_word_for_a_list() -> None:
    assert _need(Actions="s3:GetObject", Context={"aws:ResourceAccount": "1"}) == CheckedNeed(
        path="P",
        actions=("s3:GetObject",),
        resources=("arn:aws:s3:::b/k",),
        context={"aws:ResourceAccount": ("1",)},
    )


def test_a_kind_that_is_not_known_is_still_asked_about() -> None:
    assert _need(Kind="Teapot").kind == "Other"


@pytest.mark.parametrize(
    "wrong, said",
    [
        ({"Path": ""}, "has a Path that is not a text"),
        ({"Path": 3}, "has a Path that is not a text"),
        ({"Actions": []}, "has no list of texts in Actions"),
        ({"Resources": ["arn:aws:s3:::b", {"Ref": "Bucket"}]}, "has no list of texts in Resources"),
        ({"Context": ["a"]}, "has a Context that is not a mapping of few keys"),
        ({"Context": {"kms:ViaService": []}}, "has no list of texts in kms:ViaService"),
        ({"Target": {"Ref": "Secret"}}, "has a Target that is not a text"),
    ],
)
def test_a_need_that_cannot_be_read_is_a_problem_and_spoils_no_other(wrong: dict[str, Any], said: str) -> None:
    good = {"Path": "P", "Actions": ["s3:GetObject"], "Resources": ["arn:aws:s3:::b/k"]}

    needs, problems = read_needs([good, good | wrong])

    assert len(needs) == 1
    assert [(problem.path, problem.what) for problem in problems] == [("Needs/1", said)]


@pytest.mark.parametrize("properties", [None, [], "text"])
def test_properties_that_are_none(properties: object) -> None:
    assert read_request(properties).problems[0].path == "Properties"


SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/card"
REFERENCE = "/aws/reference/secretsmanager/shop/card"
OTHERS_KEY = "arn:aws:kms:eu-west-1:210987654321:key/*"


@pytest.mark.parametrize(
    "fields, expected",
    [
        ({"Target": f"{SECRET}-a1B2c3:key::", "Resources": [f"{SECRET}-a1B2c3"]}, f"secret {SECRET}-a1B2c3"),
        ({"Target": "shop/card", "Resources": [SECRET, f"{SECRET}-??????"]}, "secret shop/card in eu-west-1"),
        ({"Target": REFERENCE, "Resources": [f"{SECRET}-??????"]}, f"secret {SECRET}"),
        ({"Target": "", "Resources": [f"{SECRET}-??????"]}, f"secret {SECRET}"),
        (
            {"Target": "credentialspec:arn:aws:ssm:us-east-1:123456789012:parameter/gmsa/web",
             "Resources": ["arn:aws:ssm:us-east-1:123456789012:parameter/gmsa/web"]},
            "parameter /gmsa/web in us-east-1",
        ),
        (
            {"Target": "/shop/level:3", "Resources": ["arn:aws:ssm:us-east-1:123456789012:parameter/shop/level"]},
            "parameter /shop/level in us-east-1",
        ),
        ({"Target": "alias/shop", "Resources": [OTHERS_KEY]}, "key arn:aws:kms:eu-west-1:210987654321:alias/shop"),
        ({"Target": "", "Resources": ["arn:aws:s3:::b/k"]}, "object s3://b/k"),
        ({"Target": "", "Resources": ["arn:aws:s3:::b/k*"]}, None),
        ({"Target": "arn:aws:s3:::b/k*", "Resources": ["arn:aws:s3:::b/k*"]}, "object s3://b/k*"),
        ({"Kind": "Image", "Target": "a", "Resources": ["arn:aws:ecr:us-east-1:123456789012:repository/a*"]}, None),
        ({"Resources": ["arn:aws:logs:us-east-1:123456789012:log-group:/aws/ecs/default/web-*:*"]}, None),
        ({"Resources": ["arn:aws:elasticfilesystem:us-east-1:123456789012:file-system/fs-1"]}, None),
        ({"Resources": ["*"]}, None),
    ],
)  # fmt: skip
def test_the_target_of_a_need(fields: dict[str, Any], expected: str | None) -> None:
    target = target_of(_need(**fields), HERE)

    assert (None if target is None else str(target)) == expected


def test_an_asterisk_is_never_beside_other_resources() -> None:
    token = questions_of(
        _need(Actions=["ecr:GetAuthorizationToken"], Resources=["*"]), HERE, concrete=None, known=Known(())
    )
    other = questions_of(_need(), HERE, concrete=None, known=Known(()))

    found = batches([*token.questions, *other.questions])

    assert sorted(batch.resources for batch in found) == [("*",), ("arn:aws:s3:::b/k",)]


def test_a_batch_asks_no_more_than_one_page_answers() -> None:
    questions = [Question(f"s3:Action{a}", f"arn:aws:s3:::b/{r}", ()) for a in range(10) for r in range(250)]

    found = batches(questions)

    assert [len(batch.actions) * len(batch.resources) for batch in found] == [1000, 1000, 500]


def test_requests_carry_what_every_request_carries() -> None:
    need = _need(Actions=["ecr:BatchGetImage"], Resources=["arn:aws:ecr:eu-west-1:210987654321:repository/a"])

    (question,) = questions_of(need, HERE, concrete=None, known=Known(())).questions

    assert question.context == (
        ("aws:RequestedRegion", "string", ("eu-west-1",)),
        ("aws:ResourceAccount", "string", ("210987654321",)),
        ("aws:SecureTransport", "boolean", ("true",)),
    )


def test_an_account_that_is_not_known_is_asked_with_twelve_digits() -> None:
    need = _need(Actions=["ecr:BatchGetImage"], Resources=["arn:aws:ecr:us-east-1:*:repository/aws-guardduty"])

    (question,) = questions_of(need, HERE, concrete=None, known=Known(())).questions

    assert question.resource == "arn:aws:ecr:us-east-1:000000000000:repository/aws-guardduty"


def _boundary(*statements: dict[str, Any]) -> Boundary:
    return Boundary(arn="arn:aws:iam::123456789012:policy/limits", document={"Statement": list(statements)})


ALLOW = {"Effect": "Allow", "Action": "*", "Resource": "*"}
DENY = {"Effect": "Deny", "Action": "kms:*", "Resource": "*"}


@pytest.mark.parametrize(
    "statements, expected",
    [
        ([ALLOW], None),
        ([], "does not allow it"),
        ([ALLOW, DENY], "denies it in its statement 2"),
        ([ALLOW, DENY | {"Sid": "NoKeys"}], "denies it in statement 'NoKeys'"),
        ([ALLOW, DENY | {"Action": ["KMS:decrypt"]}], "denies it in its statement 2"),
        # IAM decides what depends on a condition or a variable.
        ([ALLOW, DENY | {"Condition": {"Bool": {"aws:SecureTransport": "false"}}}], None),
        ([ALLOW, DENY | {"Resource": "arn:aws:kms:*:*:key/${aws:PrincipalTag/Key}"}], None),
        ([ALLOW | {"Resource": "arn:aws:kms:*:*:key/${aws:PrincipalTag/Key}"}], None),
        ([ALLOW | {"Condition": {"Bool": {"aws:SecureTransport": "true"}}}], None),
        ([{"Effect": "Allow", "NotAction": "kms:*", "Resource": "*"}], "does not allow it"),
        ([{"Effect": "Allow", "NotAction": ["iam:*"], "Resource": "*"}], None),
        ([{"Effect": "Allow", "Action": "kms:*", "NotResource": "*"}], "does not allow it"),
        ([ALLOW | {"Resource": "arn:aws:kms:us-east-1:123456789012:key/other"}], "does not allow it"),
        ([{"Effect": "Deny", "NotAction": "ecr:*", "Resource": ["*"]}, ALLOW], "denies it in its statement 1"),
    ],
)
def test_what_a_boundary_certainly_forbids(statements: list[dict[str, Any]], expected: str | None) -> None:
    key = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"

    blocked = _boundary(*statements).forbids("kms:Decrypt", key)

    assert (None if blocked is None else str(blocked)) == expected


def test_a_boundary_of_one_statement_that_is_not_a_list() -> None:
    boundary = Boundary(arn="arn:aws:iam::aws:policy/ReadOnlyAccess", document={"Statement": ALLOW})

    assert boundary.forbids("kms:Decrypt", "*") is None


@pytest.mark.parametrize(
    "statement, trusted",
    [
        ({"Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}, True),
        ({"Principal": {"Service": ["ec2.amazonaws.com", "ecs-tasks.amazonaws.com"]}, "Action": ["sts:*"]}, True),
        ({"Principal": "*", "Action": "sts:AssumeRole"}, True),
        ({"Principal": {"Service": "ecs.amazonaws.com"}, "Action": "sts:AssumeRole"}, False),
        ({"Principal": {"AWS": "123456789012"}, "Action": "sts:AssumeRole"}, False),
        ({"Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:TagSession"}, False),
    ],
)
def test_trust(statement: dict[str, Any], trusted: bool) -> None:
    assert (trust({"Statement": [statement | {"Effect": "Allow"}]}) is OK) is trusted


def _result(status: Status, path: str = "P", what: str = "w") -> Result:
    verdict = OK if status is Status.OK else Verdict(status, what, "f")
    return Result(need=_need(Path=path), permission=OK, existence=verdict)


def test_a_report_says_the_same_of_several_places_once() -> None:
    report = RoleCheck(role_arn=ROLE, results=(_result(Status.ABSENT, "A"), _result(Status.ABSENT, "B")))

    assert [str(finding) for finding in report.findings] == ["A (and 1 more): w; f"]
    assert report.summary == "2 of 2 needs of role web are not met"


def test_a_report_has_the_most_important_first() -> None:
    statuses = [Status.UNKNOWN, Status.UNFIT, Status.ELSEWHERE, Status.DENIED, Status.OK, Status.ABSENT]
    report = RoleCheck(role_arn=ROLE, results=tuple(_result(s, what=s) for s in statuses))

    assert [finding.verdict.status for finding in report.findings] == [
        Status.DENIED,
        Status.ABSENT,
        Status.UNFIT,
        Status.ELSEWHERE,
        Status.UNKNOWN,
    ]
    assert len(report.failures) == 3
    assert len(report.warnings) == 2


def test_summaries() -> None:
    one = RoleCheck(role_arn=ROLE, results=(_result(Status.OK),))
    unsettled = RoleCheck(role_arn=ROLE, results=(_result(Status.OK), _result(Status.UNKNOWN)))
    untrusted = RoleCheck(role_arn=ROLE, results=(), role=(Verdict(Status.DENIED, "w", "f"),))

    assert one.summary.startswith("The 1 need of role web is permitted and in place; if a task still does not start")
    assert unsettled.summary.startswith("1 of 2 needs of role web are permitted and in place, 1 could not be decided")
    assert untrusted.summary == "Role web cannot be used by a task"
    assert untrusted.failed

"""What pulling an image is granted, from a definition and from `Images`."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from tests.support.cloudformation import (
    ACCOUNT,
    REGION,
    Document,
    Stack,
)
from tests.support.contract import (
    CONDITIONS,
    ECR,
    HOST,
    IMPORT,
    NO_VALUE,
    OTHER_ACCOUNT,
    PULL,
    REPO,
    WEB,
    container,
    event,
    expanded,
    granted,
    grants,
    image,
    inferred,
    one,
    pull,
    refusal,
    refusal_of,
    refused,
    statements,
    with_secret,
)

from ecs_exec_role.pipeline import expand
from ecs_exec_role.settings import Settings

PRIVATE: dict[str, tuple[str, str]] = {
    "this registry": (f"{HOST}/web", f"{ECR}/web"),
    "a tag": (f"{HOST}/web:1.2", f"{ECR}/web"),
    "a digest": (f"{HOST}/web@sha256:0123", f"{ECR}/web"),
    "a tag and a digest": (f"{HOST}/web:1.2@sha256:0123", f"{ECR}/web"),
    "slashes": (f"{HOST}/a/b/c:1", f"{ECR}/a/b/c"),
    "another account and region": (
        "000014521398.dkr.ecr.me-central-1.amazonaws.com/web:1",
        "arn:aws:ecr:me-central-1:000014521398:repository/web",
    ),
    "dual stack": (f"{ACCOUNT}.dkr-ecr.{REGION}.on.aws/web", f"{ECR}/web"),
    "FIPS": (f"{ACCOUNT}.dkr.ecr-fips.{REGION}.amazonaws.com/web", f"{ECR}/web"),
    "dual stack and FIPS": (f"{ACCOUNT}.dkr-ecr-fips.{REGION}.on.aws/web", f"{ECR}/web"),
    "capitals in the host": (f"{ACCOUNT}.DKR.ECR.{REGION.upper()}.AmazonAWS.com/web", f"{ECR}/web"),
}


@pytest.mark.parametrize("name", PRIVATE)
def test_private_image_is_pulled_from_the_repository_that_its_host_names(name: str) -> None:
    uri, repository = PRIVATE[name]
    assert image(uri) == pull(repository)


PUBLIC = [
    "nginx",
    "nginx:latest",
    "library/nginx@sha256:0123",
    "public.ecr.aws/nginx/nginx:1",
    "docker.io/library/nginx",
    "ghcr.io/owner/image:1",
    "localhost:5000/image",
    "registry.example.com:5000/a/b:1",
    "example.com/123456789012.dkr.ecr.us-east-1.amazonaws.com/web",
    "amazon/amazon-ecs-sample",
]


@pytest.mark.parametrize("uri", PUBLIC)
def test_image_that_is_not_in_private_ecr_needs_nothing(uri: str) -> None:
    assert image(uri) == set()
    properties = expanded(one(container(Image=uri)))["Resources"]["TaskExecutionRole"]["Properties"]
    assert "Policies" not in properties


SYMBOLIC_IMAGES: dict[str, Any] = {
    "Sub of pseudo parameters": {"Fn::Sub": "${AWS::AccountId}.dkr.ecr.${AWS::Region}.${AWS::URLSuffix}/team/repo:1"},
    "Sub of the repository": {"Fn::Sub": "${AWS::AccountId}.dkr.ecr.${AWS::Region}.amazonaws.com/${Repo}:1"},
    "Sub with a tag parameter": {"Fn::Sub": "${AWS::AccountId}.dkr.ecr.${AWS::Region}.amazonaws.com/team/repo:${Tag}"},
    "Sub of the URI": {"Fn::Sub": "${Repo.RepositoryUri}:latest"},
    "Sub of the URI with a tag parameter": {"Fn::Sub": "${Repo.RepositoryUri}:${Tag}"},
    "Sub of the URI with a digest": {"Fn::Sub": "${Repo.RepositoryUri}@sha256:0123"},
    "Sub with a map": {"Fn::Sub": ["${Uri}:${Tag}", {"Uri": {"Fn::GetAtt": ["Repo", "RepositoryUri"]}}]},
    "GetAtt": {"Fn::GetAtt": ["Repo", "RepositoryUri"]},
    "dotted GetAtt": {"Fn::GetAtt": "Repo.RepositoryUri"},
    "Join": {"Fn::Join": [":", [{"Fn::GetAtt": ["Repo", "RepositoryUri"]}, {"Ref": "Tag"}]]},
    "Join of everything": {
        "Fn::Join": [
            "",
            [
                {"Ref": "AWS::AccountId"},
                ".dkr.ecr.",
                {"Ref": "AWS::Region"},
                ".",
                {"Ref": "AWS::URLSuffix"},
                "/",
                {"Ref": "Repo"},
            ],
        ]
    },
    "parameter": {"Ref": "Uri"},
    "parameter for the name": {"Fn::Sub": "${AWS::AccountId}.dkr.ecr.us-east-1.amazonaws.com/${Name}:1"},
    "mapping": {"Fn::FindInMap": ["Images", {"Ref": "AWS::Region"}, "Uri"]},
    "mapping's default": {"Fn::FindInMap": ["Images", "eu-west-1", "Uri", {"DefaultValue": f"{HOST}/team/repo:2"}]},
    "Select": {"Fn::Select": [0, [f"{HOST}/team/repo", f"{HOST}/other"]]},
    "Select of a list parameter": {"Fn::Select": [1, {"Ref": "Uris"}]},
    "Select of Split": {"Fn::Select": ["1", {"Fn::Split": ["|", f"{HOST}/other|{HOST}/team/repo:1"]}]},
    "Select of Split of pseudo parameters": {
        "Fn::Sub": [
            "${Account}.dkr.ecr.us-east-1.amazonaws.com/team/repo",
            {"Account": {"Fn::Select": [4, {"Fn::Split": [":", {"Fn::Sub": "a:b:c:d:${AWS::AccountId}"}]}]}},
        ]
    },
    "If": {"Fn::If": ["C", f"{HOST}/team/repo:1", f"{HOST}/team/repo:2"]},
    "If inside of a Join": {"Fn::Join": ["", [f"{HOST}/team/", {"Fn::If": ["C", "repo:1", "repo:2"]}]]},
    "NoValue inside of a Join": {
        "Fn::Join": ["/", [HOST, NO_VALUE, "team", {"Fn::If": ["C", NO_VALUE, NO_VALUE]}, "repo"]]
    },
}


SYMBOLIC_SECTIONS: Document = {
    "Parameters": {
        "Tag": {"Type": "String", "Default": "1"},
        "Uri": {"Type": "String", "Default": f"{HOST}/team/repo:3"},
        "Name": {"Type": "String", "Default": "team/repo"},
        "Uris": {"Type": "CommaDelimitedList", "Default": f"nginx, {HOST}/team/repo"},
    },
    "Mappings": {"Images": {REGION: {"Uri": f"{HOST}/team/repo:1"}}},
    **CONDITIONS,
}


@pytest.mark.parametrize("name", SYMBOLIC_IMAGES)
def test_image_is_read_through_every_function(name: str) -> None:
    assert image(SYMBOLIC_IMAGES[name], more={"Repo": REPO}, **SYMBOLIC_SECTIONS) == pull(f"{ECR}/team/repo")


def test_repository_of_the_template_becomes_its_own_arn() -> None:
    fragment = expanded(one(container(Image={"Fn::Sub": "${Repo.RepositoryUri}:1"}), more={"Repo": REPO}))
    policy = json.dumps(fragment["Resources"]["TaskExecutionRole"]["Properties"]["Policies"])
    assert '"Resource": {"Fn::GetAtt": ["Repo", "Arn"]}' in policy


def test_parameters_value_overrides_its_default() -> None:
    sections = {"Parameters": {"Uri": {"Type": "String", "Default": "nginx"}}}
    assert image({"Ref": "Uri"}, **sections) == set()
    assert image({"Ref": "Uri"}, parameters={"Uri": f"{HOST}/web"}, **sections) == pull(f"{ECR}/web")


def test_image_in_china() -> None:
    uri = f"{ACCOUNT}.dkr.ecr.cn-north-1.amazonaws.com.cn/web:1"
    here = f"arn:aws-cn:ecr:cn-north-1:{ACCOUNT}:repository/web"
    assert image(uri, stack={"region": "cn-north-1"}) == pull(here)
    symbolic = {"Fn::Sub": "${AWS::AccountId}.dkr.ecr.${AWS::Region}.${AWS::URLSuffix}/web"}
    assert image(symbolic, stack={"region": "cn-north-1"}) == pull(here)
    dual = f"{ACCOUNT}.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn/web"
    assert image(dual, stack={"region": "cn-north-1"}) == pull(here)


def test_image_in_govcloud() -> None:
    uri = f"{ACCOUNT}.dkr.ecr.us-gov-west-1.amazonaws.com/web:1"
    here = f"arn:aws-us-gov:ecr:us-gov-west-1:{ACCOUNT}:repository/web"
    assert image(uri, stack={"region": "us-gov-west-1"}) == pull(here)


def test_pull_through_cache_rule_of_the_template_is_used() -> None:
    rule = {"Type": "AWS::ECR::PullThroughCacheRule", "Properties": {"EcrRepositoryPrefix": "hub"}}
    here = f"{ECR}/hub/library/nginx"
    required = pull(here) | {("ecr:BatchImportUpstreamImage", here), ("ecr:CreateRepository", here)}
    assert image(f"{HOST}/hub/library/nginx:1", more={"Rule": rule}) == required
    assert image({"Fn::Sub": f"{HOST}/${{Rule}}/library/nginx:1"}, more={"Rule": rule}) == required
    assert image(f"{HOST}/hubble/nginx:1", more={"Rule": rule}) == pull(f"{ECR}/hubble/nginx")


def test_pull_through_cache_rule_in_another_account_is_not_ours() -> None:
    rule = {"Type": "AWS::ECR::PullThroughCacheRule", "Properties": {"EcrRepositoryPrefix": "hub"}}
    uri = "210987654321.dkr.ecr.us-east-1.amazonaws.com/hub/nginx"
    assert image(uri, more={"Rule": rule}) == pull("arn:aws:ecr:us-east-1:210987654321:repository/hub/nginx")


def test_pull_through_cache_rule_with_a_condition() -> None:
    rule = {
        "Type": "AWS::ECR::PullThroughCacheRule",
        "Condition": "C",
        "Properties": {"EcrRepositoryPrefix": "hub"},
    }
    fragment = expanded(one(container(Image=f"{HOST}/hub/nginx"), more={"Rule": rule}, **CONDITIONS))
    assert len(grants(fragment, conditions={"C": True})) == 6
    assert grants(fragment, conditions={"C": False}) == pull(f"{ECR}/hub/nginx")


def test_image_behind_an_import_is_an_error_with_the_line_to_add() -> None:
    line = refusal(one(container(Image=IMPORT)))
    assert line.startswith("Resources/Task/Properties/ContainerDefinitions/0/Image: ")
    assert "Images: [!ImportValue shared]" in line
    assert "Resources/Task/Properties/ExecutionRoleSpec" in line


def test_image_is_declared_where_the_same_value_is_in_images() -> None:
    found = image(IMPORT, spec={"Images": [IMPORT]}, stack={"imports": {"shared": f"{HOST}/team/repo:1.2"}})
    assert found == pull(f"{ECR}/team/repo")


@pytest.mark.parametrize(
    "uri",
    [f"{HOST}/web", f"{HOST}/a/b:1", f"{HOST}/web@sha256:0123", "210987654321.dkr.ecr.eu-west-1.amazonaws.com/x:1"],
)
def test_declared_image_is_split_when_the_stack_is_deployed(uri: str) -> None:
    account, _, _, region, *_ = uri.split(".")
    name = re.split("[:@]", uri.partition("/")[2])[0]
    required = pull(f"arn:aws:ecr:{region}:{account}:repository/{name}")
    sections = {"Parameters": {"Image": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/images/web"}}}
    ref = {"Ref": "Image"}
    assert image(ref, spec={"Images": [ref]}, stack={"ssm": {"/images/web": uri}}, **sections) == required


def test_value_of_an_ssm_parameter_is_not_taken_for_an_image_when_the_key_is_handed_over() -> None:
    # What CloudFormation passes to a macro for these types is not documented: the name of the parameter, or its value.
    sections = {"Parameters": {"P": {"Type": "AWS::SSM::Parameter::Value<String>"}}}
    for value in ("/images/web", f"{HOST}/web:1"):
        lines = refused(one(container(Image={"Ref": "P"}), **sections), templateParameterValues={"P": value})
        assert lines[0].startswith("Resources/Task/Properties/ContainerDefinitions/0/Image: ")


def test_intrinsics_in_mappings_are_left_to_cloudformation() -> None:
    # CloudFormation allows none there. If they were followed, forty lines of them would take too long.
    rows: Document = {f"K{i}": {"Fn::Join": ["", [{"Fn::FindInMap": ["M", "a", f"K{i + 1}"]}] * 2]} for i in range(40)}
    fragment = one(container(Image={"Fn::FindInMap": ["M", "a", "K0"]}), Mappings={"M": {"a": {**rows, "K40": "x"}}})
    assert refusal(fragment).startswith("Resources/Task/Properties/ContainerDefinitions/0/Image: ")


def test_dynamic_reference_in_images_cannot_be_split() -> None:
    value = "{{resolve:ssm:/images/web}}"
    for line in refused(one(container(Image=value), spec={"Images": [value]})):
        assert "Image" in line
    spec = {"Images": ["web"], "Unresolved": "Ignore"}
    assert inferred(container(Image=value), spec=spec) == pull(f"{ECR}/web")


IMAGES: dict[str, Any] = {
    "name": "team/repo",
    "name with a tag": "team/repo:1.2",
    "name with a digest": "team/repo@sha256:abc",
    "ARN": f"{ECR}/team/repo",
    "ARN with pseudo parameters": {
        "Fn::Sub": "arn:${AWS::Partition}:ecr:${AWS::Region}:${AWS::AccountId}:repository/team/repo"
    },
    "URI": f"{HOST}/team/repo",
    "URI with a tag": f"{HOST}/team/repo:1.2",
    "URI with pseudo parameters": {"Fn::Sub": "${AWS::AccountId}.dkr.ecr.${AWS::Region}.${AWS::URLSuffix}/team/repo:1"},
    "Ref": {"Ref": "Repo"},
    "GetAtt": {"Fn::GetAtt": ["Repo", "Arn"]},
    "dotted GetAtt": {"Fn::GetAtt": "Repo.Arn"},
    "GetAtt of the URI": {"Fn::GetAtt": ["Repo", "RepositoryUri"]},
    "parameter": {"Ref": "Name"},
    "mapping form": {"Repository": "team/repo"},
    "mapping form without a cache": {"Repository": "team/repo", "PullThroughCache": False},
    "mapping form of a Ref": {"Repository": {"Ref": "Repo"}},
}


@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES)
def test_images_may_be_named_in_every_form(image: Any) -> None:
    parameters = {"Name": {"Type": "String", "Default": "team/repo"}}
    assert granted({"Images": [image]}, more={"Repo": REPO}, Parameters=parameters) == pull(f"{ECR}/team/repo")


def test_images_of_another_account_and_region() -> None:
    uri = "210987654321.dkr.ecr.eu-west-1.amazonaws.com/x/y:1"
    there = "arn:aws:ecr:eu-west-1:210987654321:repository/x/y"
    assert granted({"Images": [uri]}) == granted({"Images": [there]}) == pull(there)


@pytest.mark.parametrize("flag", [True, "true"])
def test_pull_through_cache_may_fill_itself_from_that_repository_alone(flag: Any) -> None:
    found = granted({"Images": [{"Repository": "hub/library/nginx", "PullThroughCache": flag}]})
    here = f"{ECR}/hub/library/nginx"
    assert found == pull(here) | {("ecr:BatchImportUpstreamImage", here), ("ecr:CreateRepository", here)}


def test_public_image_in_the_list_is_a_mistake() -> None:
    assert "Images/0" in refusal(one(spec={"Images": ["public.ecr.aws/nginx/nginx"]}))


def test_source_conditions_limit_only_the_pull_actions() -> None:
    spec = {"SourceVpcs": ["vpc-1", "vpc-2"], "SourceVpcEndpoints": ["vpce-1"], "GuardDuty": True, "Secrets": ["s"]}
    made = statements(expanded(one(WEB, spec=spec)))
    for sid, statement in made.items():
        if PULL & set(statement["Action"]):
            assert statement["Condition"] == {
                "StringEquals": {"aws:sourceVpc": ["vpc-1", "vpc-2"], "aws:sourceVpce": "vpce-1"}
            }, sid
        else:
            assert "Condition" not in statement, sid
    assert [sid for sid, statement in made.items() if statement["Action"] == "ecr:GetAuthorizationToken"]


@pytest.mark.parametrize("key", ["SourceVpcs", "SourceVpcEndpoints"])
def test_source_conditions_may_come_from_anywhere(key: str) -> None:
    parameters = {"Ids": {"Type": "List<AWS::EC2::VPC::Id>", "Default": "vpc-1,vpc-2"}}
    name = {"SourceVpcs": "aws:sourceVpc", "SourceVpcEndpoints": "aws:sourceVpce"}[key]
    made = statements(expanded(one(WEB, spec={key: {"Ref": "Ids"}}, Parameters=parameters)))
    [condition] = [each["Condition"] for each in made.values() if "Condition" in each]
    assert condition == {"StringEquals": {name: ["vpc-1", "vpc-2"]}}


def test_source_condition_is_gone_where_no_vpc_is_named() -> None:
    spec = {"SourceVpcs": [{"Fn::If": ["C", "vpc-1", NO_VALUE]}, {"Fn::If": ["C", "vpc-2", NO_VALUE]}]}
    fragment = expanded(one(WEB, spec=spec, **CONDITIONS))
    for truth, required in ((True, {"StringEquals": {"aws:sourceVpc": ["vpc-1", "vpc-2"]}}), (False, {})):
        made = statements(fragment, conditions={"C": truth}).values()
        [pulling] = [statement for statement in made if "ecr:BatchGetImage" in statement["Action"]]
        assert pulling.get("Condition", {}) == required


def test_source_vpc_of_the_template() -> None:
    more = {"Vpc": {"Type": "AWS::EC2::VPC"}}
    fragment = expanded(one(WEB, spec={"SourceVpcs": [{"Ref": "Vpc"}]}, more=more))
    [condition] = [each["Condition"] for each in statements(fragment).values() if "Condition" in each]
    assert condition == {"StringEquals": {"aws:sourceVpc": Stack(fragment).physical("Vpc").ref}}


UNNAMED = {"Repo": {"Type": "AWS::ECR::Repository"}}


def test_a_longer_name_behind_a_repositorys_uri() -> None:
    found = inferred(container(Image={"Fn::Sub": "${Repo.RepositoryUri}-x:1"}), more=UNNAMED)
    assert {resource.rpartition("-")[2] for action, resource in found if action == "ecr:BatchGetImage"} == {"x"}


def test_the_registry_cut_out_of_a_repositorys_uri() -> None:
    registry = {"Fn::Select": [0, {"Fn::Split": ["/", {"Fn::GetAtt": ["Repo", "RepositoryUri"]}]}]}
    image = {"Fn::Join": ["", [registry, "/other:1"]]}
    assert inferred(container(Image=image), more=UNNAMED) == pull(f"{ECR}/other")


@pytest.mark.parametrize(
    "host",
    [
        HOST,
        f"{HOST}:443",
        f"{ACCOUNT}.dkr.ecr-fips.{REGION}.amazonaws.com",
        f"{ACCOUNT}.dkr-ecr.{REGION}.on.aws",
        f"{ACCOUNT}.dkr-ecr.{REGION}.amazonwebservices.eu",
        f"{ACCOUNT}.dkr-ecr.{REGION}.on.aws.scloud",
    ],
)
def test_every_host_of_a_private_registry(host: str) -> None:
    assert inferred(container(Image=f"{host}/team/web:1")) == pull(f"{ECR}/team/web")


@pytest.mark.parametrize(
    "given",
    [
        f"{HOST}/team/web:1",
        f"{HOST}/team/web@sha256:abc",
        f"{ACCOUNT}.dkr-ecr.{REGION}.on.aws/team/web:1",
        f"{ACCOUNT}.dkr.ecr-fips.{REGION}.amazonaws.com/team/web",
    ],
)
def test_images_entry_holds_for_every_form_of_an_image_known_at_deployment(given: str) -> None:
    found = inferred(container(Image=IMPORT), spec={"Images": [IMPORT]}, stack={"imports": {"shared": given}})
    assert found == pull(f"{ECR}/team/web")


def test_images_entry_deploys_where_the_image_turns_out_to_be_public() -> None:
    found = inferred(container(Image=IMPORT), spec={"Images": [IMPORT]}, stack={"imports": {"shared": "nginx:1"}})
    assert {resource for _, resource in found if resource != "*"} == {"arn:aws:ecr:-:nginx:repository/-"}


@pytest.mark.parametrize("image", ["1password/connect-api:${Tag}", "123/app:${Tag}", "3scale:${Tag}"])
def test_a_name_that_begins_with_a_digit_is_elsewhere(image: str) -> None:
    parameters = {"Tag": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/tag"}}
    assert inferred(container(Image={"Fn::Sub": image}), Parameters=parameters) == set()


def test_a_public_image_in_images_grants_nothing() -> None:
    parameters = {"ImageUrl": {"Type": "String"}}
    spec = {"Images": [{"Ref": "ImageUrl"}]}
    web = container(Image={"Ref": "ImageUrl"})
    assert inferred(web, spec=spec, Parameters=parameters, parameters={"ImageUrl": "nginx"}) == set()


def test_fluent_bit_of_aws_is_in_a_private_registry() -> None:
    parameters = {"Bit": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/aws/service/aws-for-fluent-bit/2"}}
    given = f"{OTHER_ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/aws-for-fluent-bit:2"
    stack = {"ssm": {"/aws/service/aws-for-fluent-bit/2": given}}
    found = inferred(container(Image={"Ref": "Bit"}), Parameters=parameters, stack=stack)
    assert found == pull(f"arn:aws:ecr:{REGION}:{OTHER_ACCOUNT}:repository/aws-for-fluent-bit")


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ({"Ref": "Repo"}, "write !Sub ${Repo.RepositoryUri}:TAG"),
        ({"Fn::Sub": "${Repo}:latest"}, "write !Sub ${Repo.RepositoryUri}:TAG"),
        ({"Fn::GetAtt": ["Repo", "Arn"]}, "write !Sub ${Repo.RepositoryUri}:TAG"),
        (f"{ECR}/x:1", "is an ARN"),
        (f"12345678901.dkr.ecr.{REGION}.amazonaws.com/x:1", "looks like an image in ECR"),
    ],
)
def test_what_certainly_is_not_an_image_is_refused(image: Any, said: str) -> None:
    assert said in refusal_of(container(Image=image), more=UNNAMED)


def test_an_endpoint_limits_only_pulls_of_its_own_region() -> None:
    spec = {"SourceVpcEndpoints": ["vpce-1"]}
    web = container(Image=f"{HOST}/here:1")
    other = container(Name="other", Image=f"{HOST}/there:1".replace(REGION, "us-west-2"))
    found = statements(expanded(one(web, other, spec=spec)))
    by_resource = {statement["Resource"]: statement for sid, statement in found.items() if sid.startswith("PullImages")}
    assert "Condition" in by_resource[f"{ECR}/here"]
    assert "Condition" not in by_resource[f"{ECR}/there".replace(REGION, "us-west-2")]


@pytest.mark.parametrize("name", ["/a", "a/", " a", "A", "a//b", "-a"])
def test_a_name_that_no_repository_can_have_is_refused(name: str) -> None:
    assert "cannot be the name of a repository" in refusal_of(container(Image=f"{HOST}/{name}:1"))


@pytest.mark.parametrize("name", ["a", "team/web-1", "a.b_c/d__e", "9/0"])
def test_a_name_that_a_repository_can_have(name: str) -> None:
    assert inferred(container(Image=f"{HOST}/{name}:1")) == pull(f"{ECR}/{name}")


CACHES = [
    "docker-hub/library/nginx",
    "ecr-public/nginx/nginx",
    "quay/app",
    "kubernetes/pause",
    "github/a/b",
    "gitlab/a/b",
]


def cache_warnings(name: str, spec: Any = "Auto", **more: Any) -> list[str]:
    fragment = one(container(Image=f"{HOST}/{name}:1"), spec=spec, more=more)
    found = expand(event(fragment), Settings()).warnings
    return [str(warning) for warning in found if warning.code == "maybe-pull-through-cache"]


@pytest.mark.parametrize("name", CACHES)
def test_a_usual_name_of_a_cache_is_reported_where_no_rule_shows_what_it_is(name: str) -> None:
    [message] = cache_warnings(name)
    assert f"`{name}` may be a pull-through cache, which the template does not show" in message
    prefix, _, _ = name.partition("/")
    rule = {"Type": "AWS::ECR::PullThroughCacheRule", "Properties": {"EcrRepositoryPrefix": prefix}}
    assert cache_warnings(name, Rule=rule) == []
    own = {"Type": "AWS::ECR::Repository", "Properties": {"RepositoryName": name}}
    assert cache_warnings(name, Own=own) == []
    assert cache_warnings(name, spec={"Images": [{"Repository": name, "PullThroughCache": False}]}) == []
    assert cache_warnings(name, spec={"Images": [name]}) != []


@pytest.mark.parametrize("name", ["docker-hub", "team/web", "my-docker-hub/x", "quayside/x"])
def test_other_names_are_not_told(name: str) -> None:
    assert cache_warnings(name) == []


def test_a_message_has_the_image_as_it_is_written() -> None:
    image = {"Fn::Sub": "public.ecr.aws/team/web:${AWS::Region}"}
    line = refusal(one(container(), spec={"Images": [image]}))
    assert "`public.ecr.aws/team/web:${AWS::Region}` is not in a private ECR registry" in line


@pytest.mark.parametrize(
    "text",
    [
        f"{ACCOUNT}.dkr.ecr.amazonaws.com/web:1",
        f"{ACCOUNT}.dkr.ecr.{REGION}/web:1",
        f"{ACCOUNT}.ecr.{REGION}.amazonaws.com/web:1",
        f"{ACCOUNT}.ecr-fips.{REGION}.amazonaws.com.cn/web:1",
        f"account.dkr-ecr.{REGION}.on.aws/web:1",
    ],
)
def test_a_host_that_only_looks_like_one_of_ecr_is_refused(text: str) -> None:
    assert "looks like an image in ECR, but its host is wrong" in refusal_of(container(Image=text))


@pytest.mark.parametrize("text", ["${Repo}/web:1", "${Repo}-web:1", "${Repo.Arn}/web:1"])
def test_the_name_and_the_arn_of_a_repository_begin_no_image(text: str) -> None:
    line = refusal_of(container(Image={"Fn::Sub": text}), more={"Repo": REPO})
    assert "and an image is named by its URI; write !Sub ${Repo.RepositoryUri}:TAG" in line


@pytest.mark.parametrize("name", ["${Repo.Arn}", "${Repo.RepositoryUri}", "team/${Repo.Arn}"])
def test_an_arn_or_a_uri_is_not_a_name_of_a_repository(name: str) -> None:
    text = f"${{AWS::AccountId}}.dkr.ecr.${{AWS::Region}}.amazonaws.com/{name}:1"
    assert "instead of a name" in refusal_of(container(Image={"Fn::Sub": text}), more={"Repo": REPO})


@pytest.mark.parametrize("text", ["${AWS::StackName}:1", "${AWS::StackName}/web:${Tag}", "${AWS::Region}-web:1"])
def test_an_image_that_begins_with_a_pseudo_parameter_is_not_in_ecr(text: str) -> None:
    parameters = {"Tag": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/tag"}}
    assert image({"Fn::Sub": text}, Parameters=parameters) == set()


LISTED = {
    "a name": ("team/web", f"{ECR}/team/web"),
    "an ARN": (
        f"arn:aws:ecr:eu-west-1:{OTHER_ACCOUNT}:repository/team/web",
        f"arn:aws:ecr:eu-west-1:{OTHER_ACCOUNT}:repository/team/web",
    ),
    "a URI": (f"{HOST}/team/web:1", f"{ECR}/team/web"),
    "a URI with a digest": (f"{HOST}/team/web@sha256:0123", f"{ECR}/team/web"),
    "a dual-stack URI": (f"{ACCOUNT}.dkr-ecr.{REGION}.on.aws/team/web:1", f"{ECR}/team/web"),
}
_REPOSITORY_ARN = re.compile(r"arn:aws:ecr:[a-z]+-[a-z]+-[0-9]:[0-9]{12}:repository/[a-z0-9/-]+")


@pytest.mark.parametrize("form", LISTED)
def test_an_entry_of_images_that_is_known_at_deployment_is_granted_in_each_form(form: str) -> None:
    value, arn = LISTED[form]
    found = granted({"Images": [IMPORT]}, stack={"imports": {"shared": value}})
    assert pull(arn) <= found
    # The other form is not an ARN of a repository.
    assert {resource for _, resource in found if _REPOSITORY_ARN.fullmatch(resource)} == {arn}


def test_a_cache_that_is_known_at_deployment() -> None:
    entry = {"Repository": IMPORT, "PullThroughCache": True}
    found = granted({"Images": [entry]}, stack={"imports": {"shared": "hub/nginx"}})
    assert ("ecr:BatchImportUpstreamImage", f"{ECR}/hub/nginx") in found


@pytest.mark.parametrize(
    ("region", "suffix"),
    [
        ("cn-north-1", "on.amazonwebservices.com.cn"),
        ("eusc-de-east-1", "on.amazonwebservices.eu"),
        ("us-iso-east-1", "on.aws.ic.gov"),
        ("us-isob-east-1", "on.aws.scloud"),
        ("eu-isoe-west-1", "on.cloud-aws.adc-e.uk"),
        ("us-isof-south-1", "on.aws.hci.ic.gov"),
    ],
)
def test_a_dual_stack_image_that_is_known_at_deployment_in_each_partition(region: str, suffix: str) -> None:
    uri = f"{ACCOUNT}.dkr-ecr.{region}.{suffix}/team/web:1"
    stack = {"region": region, "imports": {"shared": uri}}
    found = {resource for _, resource in image(IMPORT, spec={"Images": [IMPORT]}, stack=stack) if resource != "*"}
    [arn] = found
    assert arn.split(":")[3:] == [region, ACCOUNT, "repository/team/web"]


@pytest.mark.parametrize(
    ("function", "fix"),
    [
        ({"Fn::Transform": {"Name": "Other"}}, "let CloudFormation expand it before EcsExecRole"),
        ({"Fn::ForEach::Loop": ["N", ["a"], {"x": 1}]}, "list AWS::LanguageExtensions before EcsExecRole"),
    ],
)
def test_a_value_that_another_macro_writes_gets_the_order_of_macros(function: Any, fix: str) -> None:
    # No entry of the spec can state what the other macro makes of it.
    beside = {"Name": "A", "ValueFrom": "/a", **function}
    for place in (container(Image=function), with_secret(function), container(Secrets=[beside])):
        message = refusal(one(place))
        assert "is expanded by another macro" in message
        assert fix in message


def test_dynamic_reference_that_is_not_listed_can_be_left_to_the_author() -> None:
    value = "{{resolve:ssm:/image}}"
    assert "is a dynamic reference, which CloudFormation cannot split" in refusal(one(container(Image=value)))
    assert inferred(container(Image=value), spec={"Unresolved": "Ignore"}) == set()
    listed = {"Unresolved": "Ignore", "Images": [value]}
    assert "is a dynamic reference, which CloudFormation cannot split" in refusal(
        one(container(Image=value), spec=listed)
    )

"""CloudFormation, for the tests: the values of a template's intrinsic functions in a deployed stack.

A `Stack` invents the names that AWS would give (`my-stack-Repository-…`, a secret's six characters, a log group's ARN
that ends in `:*`) and resolves every function as CloudFormation does. It deliberately shares no code with the macro:
the macro's symbolic values are read here by other rules, and what CloudFormation would refuse is refused here.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html
"""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from cfnlint.decode import cfn_yaml

ACCOUNT = "123456789012"
REGION = "us-east-1"

Document = dict[str, Any]
T = TypeVar("T")


class CloudFormationError(Exception):
    """What CloudFormation would refuse, or cannot know."""


class _NoValue:
    """`AWS::NoValue`: removes the property or the list's item."""

    def __repr__(self) -> str:
        return "AWS::NoValue"


NO_VALUE: Final = _NoValue()

PARTITIONS = {
    "cn-": ("aws-cn", "amazonaws.com.cn"),
    "us-gov-": ("aws-us-gov", "amazonaws.com"),
    "us-iso-": ("aws-iso", "c2s.ic.gov"),
    "us-isob-": ("aws-iso-b", "sc2s.sgov.gov"),
}

ECS_MANAGED_POLICY: Document = {
    # https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonECSTaskExecutionRolePolicy.html
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": [
                "ecr:GetAuthorizationToken",
                "ecr:BatchCheckLayerAvailability",
                "ecr:GetDownloadUrlForLayer",
                "ecr:BatchGetImage",
                "logs:CreateLogStream",
                "logs:PutLogEvents",
            ],
            "Resource": "*",
        }
    ],
}
AWS_MANAGED_POLICIES = {"service-role/AmazonECSTaskExecutionRolePolicy": ECS_MANAGED_POLICY}


class Physical(NamedTuple):
    """The values of a resource: that of `Ref`, and of each `Fn::GetAtt`."""

    ref: str
    attributes: Mapping[str, str]


def load(path: Path) -> Document:
    """The template in a YAML file, short tags written out, as CloudFormation passes it to a macro."""
    plain: Document = json.loads(json.dumps(cfn_yaml.load(str(path))))
    return plain


def parsed(template: Document | str) -> Document:
    """The same for a template's text, or for a parsed template."""
    plain: Document = json.loads(json.dumps(cfn_yaml.loads(template) if isinstance(template, str) else template))
    return plain


class Stack:
    """A fragment with everything in it known.

    `parameters` are the user's values beside the defaults. `conditions` forces the named conditions, the others are
    evaluated. `imports` gives `Fn::ImportValue` by its name and `Fn::GetStackOutput` by `STACK.OUTPUT`, `ssm` what
    `AWS::SSM::Parameter::Value<…>` parameters point to, and `outputs` nested stacks' outputs, each by name.
    `CloudFormationError` wherever CloudFormation would stop.
    """

    def __init__(
        self,
        fragment: Document,
        parameters: Mapping[str, Any] | None = None,
        *,
        conditions: Mapping[str, bool] | None = None,
        imports: Mapping[str, str] | None = None,
        ssm: Mapping[str, str] | None = None,
        outputs: Mapping[str, str] | None = None,
        account: str = ACCOUNT,
        region: str = REGION,
        name: str = "stack",
    ) -> None:
        self.fragment = fragment
        self.account = account
        self.region = region
        self.name = name
        self.partition, self.url_suffix = next(
            (names for prefix, names in PARTITIONS.items() if region.startswith(prefix)), ("aws", "amazonaws.com")
        )
        self.given = dict(parameters or {})
        self._forced = dict(conditions or {})
        self._imports = dict(imports or {})
        self._ssm = dict(ssm or {})
        self._outputs = dict(outputs or {})
        self._resolving: list[str] = []

    def with_other_imports(self) -> Stack:
        """The same stack, in which every value from other stacks and from SSM parameters is different."""
        other = copy.copy(self)
        for known in ("_imports", "_ssm", "_outputs"):
            setattr(other, known, {name: f"other-{_hex(value)}" for name, value in getattr(self, known).items()})
        return other

    # Resources

    def resources(self, *types: str) -> list[str]:
        """Logical IDs of the resources that the stack creates; of these types, if any are named."""
        return [
            logical_id
            for logical_id, resource in self.fragment.get("Resources", {}).items()
            if (not types or resource["Type"] in types) and self.exists(logical_id)
        ]

    def exists(self, logical_id: str) -> bool:
        condition = self._resource(logical_id).get("Condition")
        return condition is None or self.condition(condition)

    def properties(self, logical_id: str) -> Document:
        """A resource's properties, resolved."""
        return self._guarded(logical_id, lambda: self.resolve(self._resource(logical_id).get("Properties", {})))

    def property(self, logical_id: str, name: str) -> Any:
        """One property, resolved; None if it is not given. The others are not resolved, to prevent recursion."""
        value = self._resource(logical_id).get("Properties", {}).get(name)
        resolved = self._guarded(f"{logical_id}.{name}", lambda: self.resolve(value))
        return None if resolved is NO_VALUE else resolved

    def physical(self, logical_id: str) -> Physical:
        """The names that AWS gives to a resource."""
        if not self.exists(logical_id):
            raise CloudFormationError(f"Unresolved resource dependencies [{logical_id}]: its condition is false")
        maker = PHYSICAL.get(self._resource(logical_id)["Type"], _anything)
        return maker(self, logical_id)

    def _resource(self, logical_id: str) -> Document:
        try:
            resource: Document = self.fragment["Resources"][logical_id]
        except KeyError:
            raise CloudFormationError(f"Unresolved resource dependencies [{logical_id}]: no such resource") from None
        return resource

    def _guarded(self, what: str, resolve: Callable[[], T]) -> T:
        if what in self._resolving:
            raise CloudFormationError(f"Circular dependency: {' -> '.join([*self._resolving, what])}")
        self._resolving.append(what)
        try:
            return resolve()
        finally:
            self._resolving.pop()

    def arn(self, service: str, resource: str) -> str:
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    # Conditions

    def condition(self, name: str) -> bool:
        if name in self._forced:
            return self._forced[name]
        try:
            definition = self.fragment["Conditions"][name]
        except KeyError:
            raise CloudFormationError(f"Unresolved condition dependency {name}") from None
        return self._guarded(f"condition {name}", lambda: self._truth(definition))

    def _truth(self, definition: Document) -> bool:
        ((function, argument),) = definition.items()
        match function:
            case "Condition":
                return self.condition(argument)
            case "Fn::Equals":
                left, right = (self.resolve(side) for side in argument)
                return _text(left) == _text(right)
            case "Fn::Not":
                return not self._truth(argument[0])
            case "Fn::And":
                return all(self._truth(each) for each in argument)
            case "Fn::Or":
                return any(self._truth(each) for each in argument)
        raise CloudFormationError(f"{function} is not a condition function")

    # Values

    def resolve(self, value: Any) -> Any:
        """A value of the template, with every function in it evaluated."""
        if isinstance(value, list):
            items = [self.resolve(item) for item in value]
            return [item for item in items if item is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((key, argument),) = value.items()
            if key == "Ref" or key.startswith("Fn::"):
                return self._call(key, argument)
        resolved = {key: self.resolve(item) for key, item in value.items()}
        if any(key.startswith("Fn::") for key in value):
            raise CloudFormationError(f"A function must be the only key of its mapping: {sorted(value)}")
        return {key: item for key, item in resolved.items() if item is not NO_VALUE}

    def _call(self, function: str, argument: Any) -> Any:
        match function:
            case "Ref":
                return self.ref(argument)
            case "Fn::GetAtt":
                logical_id, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
                return self.attribute(logical_id, self.resolve(attribute))
            case "Fn::Sub":
                return self._sub(argument)
            case "Fn::Join":
                delimiter, items = argument
                return delimiter.join(_text(item) for item in self._list(items, function))
            case "Fn::If":
                condition, yes, no = argument
                return self.resolve(yes if self.condition(condition) else no)
            case "Fn::Select":
                index, items = argument
                return self._list(items, function)[int(self.resolve(index))]
            case "Fn::Split":
                delimiter, text = argument
                return _text(self.resolve(text)).split(delimiter)
            case "Fn::FindInMap":
                return self._find(argument)
        return self._other_call(function, argument)

    def _other_call(self, function: str, argument: Any) -> Any:
        """The less common functions."""
        match function:
            case "Fn::ImportValue":
                return self._known(self._imports, _text(self.resolve(argument)), "export")
            case "Fn::GetStackOutput":
                stack, output = (_text(self.resolve(argument[key])) for key in ("StackName", "OutputName"))
                return self._known(self._imports, f"{stack}.{output}", "output of another stack")
            case "Fn::Base64":
                return base64.b64encode(_text(self.resolve(argument)).encode()).decode()
            case "Fn::GetAZs":
                return [f"{self.resolve(argument) or self.region}{letter}" for letter in "abc"]
            case "Fn::ToJsonString":
                return json.dumps(self.resolve(argument), separators=(",", ":"))
            case "Fn::Length":
                return len(self._list(argument, function))
        raise CloudFormationError(f"{function} is not known to these tests")

    def _list(self, value: Any, function: str) -> list[Any]:
        items = self.resolve(value)
        if not isinstance(items, list):
            raise CloudFormationError(f"{function} takes a list, not {items!r}")
        return items

    @staticmethod
    def _known(values: Mapping[str, str], name: str, kind: str) -> str:
        try:
            return values[name]
        except KeyError:
            raise CloudFormationError(f"No {kind} named {name}") from None

    def ref(self, name: str) -> Any:
        match name:
            case "AWS::NoValue":
                return NO_VALUE
            case "AWS::AccountId":
                return self.account
            case "AWS::Region":
                return self.region
            case "AWS::Partition":
                return self.partition
            case "AWS::URLSuffix":
                return self.url_suffix
            case "AWS::StackName":
                return self.name
            case "AWS::StackId":
                return self.arn("cloudformation", f"stack/{self.name}/{_uuid(self.name)}")
            case "AWS::NotificationARNs":
                return []
        if name in self.fragment.get("Parameters", {}):
            return self.parameter(name)
        return self.physical(name).ref

    def parameter(self, name: str) -> str | list[str]:
        definition = self.fragment["Parameters"][name]
        value = self.given.get(name, definition.get("Default"))
        if value is None:
            raise CloudFormationError(f"Parameters: [{name}] must have values")
        text = ",".join(map(_text, value)) if isinstance(value, list) else _text(value)
        kind = definition["Type"]
        if kind.startswith("AWS::SSM::Parameter::Value<"):
            text = self._known(self._ssm, text, "SSM parameter")
            kind = kind.removeprefix("AWS::SSM::Parameter::Value<").removesuffix(">")
        if kind == "CommaDelimitedList" or kind.startswith("List<"):
            return [item.strip() for item in text.split(",")] if text else []
        return text

    def attribute(self, logical_id: str, name: str) -> str:
        if self._resource(logical_id)["Type"] == "AWS::CloudFormation::Stack" and name.startswith("Outputs."):
            return self._known(self._outputs, f"{logical_id}.{name.removeprefix('Outputs.')}", "output")
        attributes = self.physical(logical_id).attributes
        if name not in attributes:
            raise CloudFormationError(f"Resource {logical_id} has no attribute {name}")
        return attributes[name]

    def _sub(self, argument: str | list[Any]) -> str:
        template, variables = (argument, {}) if isinstance(argument, str) else argument

        def value(match: re.Match[str]) -> str:
            name = match[1]
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            if not re.fullmatch(r"[A-Za-z0-9_.:]+", name):
                raise CloudFormationError(
                    "Variable names in Fn::Sub syntax must contain only alphanumeric characters, underscores, "
                    f"periods, and colons: {name}"
                )
            if name in variables:
                return _text(self.resolve(variables[name]))
            if "." in name:
                logical_id, attribute = name.split(".", 1)
                return _text(self.attribute(logical_id, attribute))
            return _text(self.ref(name))

        return re.sub(r"\$\{([^}]*)\}", value, template)

    def _find(self, argument: list[Any]) -> Any:
        name, first, second = (self.resolve(key) for key in argument[:3])
        try:
            return self.resolve(self.fragment["Mappings"][name][first][second])
        except KeyError:
            if len(argument) > 3:
                return self.resolve(argument[3]["DefaultValue"])
            raise CloudFormationError(f"Unable to get mapping for {name}::{first}::{second}") from None


def _text(value: Any) -> str:
    """A scalar as CloudFormation writes it into a string."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
    raise CloudFormationError(f"Not a string: {value!r}")


def ways(template: Document) -> list[dict[str, str]]:
    """Parameter values that change a template's conditions: first only the defaults, then one changed at a time.

    A parameter gets each of its allowed values, or the value that a condition compares it with, and a different one.
    """
    found: list[dict[str, str]] = [{}]
    for name, definition in template.get("Parameters", {}).items():
        values = {_text(value) for value in definition.get("AllowedValues", [])}
        if not values and (compared := compared_in(template.get("Conditions", {}), name)):
            values = {*compared, f"other-{_hex(name)}"} - {""}
        found += [{name: value} for value in sorted(values - {_text(definition.get("Default", ""))})]
    return found


def compared_in(value: Any, parameter: str) -> set[str]:
    """The literals that conditions compare a parameter to."""
    match value:
        case {"Fn::Equals": [{"Ref": str(name)}, str(literal)]} | {"Fn::Equals": [str(literal), {"Ref": str(name)}]}:
            return {literal} if name == parameter else set()
        case dict():
            return set().union(*(compared_in(each, parameter) for each in value.values()))
        case list():
            return set().union(*(compared_in(each, parameter) for each in value))
    return set()


# Names that AWS gives.


def _token(seed: str, length: int, alphabet: str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") -> str:
    digest = hashlib.sha256(seed.encode()).digest()
    return "".join(alphabet[byte % len(alphabet)] for byte in digest[:length])


def _uuid(seed: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, seed))


def _hex(seed: str, length: int = 17) -> str:
    return hashlib.sha256(seed.encode()).hexdigest()[:length]


def secret_suffix(seed: str) -> str:
    """Six characters such as Secrets Manager adds."""
    return _token(seed, 6, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")


def _generated(stack: Stack, logical_id: str) -> str:
    return f"{stack.name}-{logical_id}-{_token(logical_id, 12)}"


def _name(stack: Stack, logical_id: str, name_property: str, *, lower: bool = False) -> str:
    given = stack.property(logical_id, name_property)
    generated = _generated(stack, logical_id)
    return str(given or (generated.lower() if lower else generated))


def _role(stack: Stack, logical_id: str) -> Physical:
    name = _name(stack, logical_id, "RoleName")
    path = stack.property(logical_id, "Path") or "/"
    arn = f"arn:{stack.partition}:iam::{stack.account}:role{path}{name}"
    return Physical(name, {"Arn": arn, "RoleId": "AROA" + _token(logical_id, 17)})


def _managed_policy(stack: Stack, logical_id: str) -> Physical:
    path = stack.property(logical_id, "Path") or "/"
    name = _name(stack, logical_id, "ManagedPolicyName")
    arn = f"arn:{stack.partition}:iam::{stack.account}:policy{path}{name}"
    return Physical(arn, {"PolicyArn": arn, "PolicyId": "ANPA" + _token(logical_id, 17)})


def _repository(stack: Stack, logical_id: str) -> Physical:
    name = _name(stack, logical_id, "RepositoryName", lower=True)
    uri = f"{stack.account}.dkr.ecr.{stack.region}.{stack.url_suffix}/{name}"
    return Physical(name, {"Arn": stack.arn("ecr", f"repository/{name}"), "RepositoryUri": uri})


def _pull_through_cache_rule(stack: Stack, logical_id: str) -> Physical:
    return Physical(_name(stack, logical_id, "EcrRepositoryPrefix"), {})


def _log_group(stack: Stack, logical_id: str) -> Physical:
    name = _name(stack, logical_id, "LogGroupName")
    return Physical(name, {"Arn": stack.arn("logs", f"log-group:{name}:*")})


def _secret(stack: Stack, logical_id: str) -> Physical:
    arn = stack.arn("secretsmanager", f"secret:{_name(stack, logical_id, 'Name')}-{secret_suffix(logical_id)}")
    return Physical(arn, {"Id": arn})


def _secret_target_attachment(stack: Stack, logical_id: str) -> Physical:
    arn = str(stack.property(logical_id, "SecretId"))
    return Physical(arn, {"Id": arn})


def _parameter(stack: Stack, logical_id: str) -> Physical:
    given = stack.property(logical_id, "Name")
    name = str(given or f"CFN-{stack.property(logical_id, 'Type')}{_token(logical_id, 13)}")
    return Physical(name, {"Type": stack.property(logical_id, "Type"), "Value": stack.property(logical_id, "Value")})


def _key(stack: Stack, logical_id: str) -> Physical:
    key = _uuid(logical_id)
    return Physical(key, {"Arn": stack.arn("kms", f"key/{key}"), "KeyId": key})


def _key_alias(stack: Stack, logical_id: str) -> Physical:
    return Physical(str(stack.property(logical_id, "AliasName")), {})


def _bucket(stack: Stack, logical_id: str) -> Physical:
    name = _name(stack, logical_id, "BucketName", lower=True)
    return Physical(name, {"Arn": f"arn:{stack.partition}:s3:::{name}", "DomainName": f"{name}.s3.{stack.url_suffix}"})


def _efs(stack: Stack, logical_id: str) -> Physical:
    name = "fs-" + _hex(logical_id)
    return Physical(name, {"Arn": stack.arn("elasticfilesystem", f"file-system/{name}"), "FileSystemId": name})


def _efs_access_point(stack: Stack, logical_id: str) -> Physical:
    name = "fsap-" + _hex(logical_id)
    return Physical(name, {"Arn": stack.arn("elasticfilesystem", f"access-point/{name}"), "AccessPointId": name})


def _fsx(stack: Stack, logical_id: str) -> Physical:
    name = "fs-" + _hex(logical_id)
    return Physical(
        name, {"ResourceARN": stack.arn("fsx", f"file-system/{name}"), "DNSName": f"amznfsx{_hex(logical_id, 8)}.corp"}
    )


def _database(kind: str, name_property: str) -> Callable[[Stack, str], Physical]:
    def database(stack: Stack, logical_id: str) -> Physical:
        name = _name(stack, logical_id, name_property, lower=True)
        secret = stack.arn("secretsmanager", f"secret:rds!{kind}-{_uuid(logical_id)}-{secret_suffix(logical_id)}")
        return Physical(name, {"MasterUserSecret.SecretArn": secret, "Endpoint.Address": f"{name}.rds"})

    return database


def _task_definition(stack: Stack, logical_id: str) -> Physical:
    arn = stack.arn("ecs", f"task-definition/{_name(stack, logical_id, 'Family')}:1")
    return Physical(arn, {"TaskDefinitionArn": arn})


def _identifier(prefix: str, *attributes: str) -> Callable[[Stack, str], Physical]:
    """A resource whose ID is a prefix and hexadecimal digits, under each of the attributes too."""

    def identifier(_: Stack, logical_id: str) -> Physical:
        name = f"{prefix}-{_hex(logical_id)}"
        return Physical(name, dict.fromkeys(attributes, name))

    return identifier


def _by_arn(service: str, kind: str) -> Callable[[Stack, str], Physical]:
    """A resource whose `Ref` is its ARN."""

    def by_arn(stack: Stack, logical_id: str) -> Physical:
        arn = stack.arn(service, f"{kind}/{_generated(stack, logical_id)}")
        return Physical(arn, {"Arn": arn})

    return by_arn


def _anything(stack: Stack, logical_id: str) -> Physical:
    """A type that no test reads: a name, and an ARN for types that have one."""
    name = _generated(stack, logical_id)
    return Physical(name, {"Arn": stack.arn("example", name)})


PHYSICAL: Mapping[str, Callable[[Stack, str], Physical]] = {
    "AWS::Batch::JobDefinition": _by_arn("batch", "job-definition"),
    "AWS::EC2::SecurityGroup": _identifier("sg", "GroupId"),
    "AWS::EC2::Subnet": _identifier("subnet", "SubnetId"),
    "AWS::EC2::VPC": _identifier("vpc", "VpcId"),
    "AWS::EC2::VPCEndpoint": _identifier("vpce", "Id"),
    "AWS::ECR::PullThroughCacheRule": _pull_through_cache_rule,
    "AWS::ECR::Repository": _repository,
    "AWS::ECS::DaemonTaskDefinition": _task_definition,
    "AWS::ECS::ExpressGatewayService": _by_arn("ecs", "express-gateway-service"),
    "AWS::ECS::Service": _by_arn("ecs", "service"),
    "AWS::ECS::TaskDefinition": _task_definition,
    "AWS::EFS::AccessPoint": _efs_access_point,
    "AWS::EFS::FileSystem": _efs,
    "AWS::FSx::FileSystem": _fsx,
    "AWS::IAM::ManagedPolicy": _managed_policy,
    "AWS::IAM::Role": _role,
    "AWS::KMS::Alias": _key_alias,
    "AWS::KMS::Key": _key,
    "AWS::KMS::ReplicaKey": _key,
    "AWS::Logs::LogGroup": _log_group,
    "AWS::RDS::DBCluster": _database("cluster", "DBClusterIdentifier"),
    "AWS::RDS::DBInstance": _database("db", "DBInstanceIdentifier"),
    "AWS::S3::Bucket": _bucket,
    "AWS::SSM::Parameter": _parameter,
    "AWS::SecretsManager::Secret": _secret,
    "AWS::SecretsManager::SecretTargetAttachment": _secret_target_attachment,
}


# Roles


def role_policies(stack: Stack, role: str, managed: Mapping[str, Document] | None = None) -> list[Document]:
    """Every identity policy of a role of the template in the deployed stack.

    Its inline `Policies`, each `AWS::IAM::RolePolicy`, `AWS::IAM::Policy` and `AWS::IAM::ManagedPolicy` that names it,
    and the managed policies that it names: of this template, of AWS, or those given in `managed` by ARN.
    """
    properties = stack.properties(role)
    name, arns = stack.physical(role).ref, properties.get("ManagedPolicyArns", [])
    documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
    for logical_id in stack.resources("AWS::IAM::RolePolicy"):
        attached = stack.properties(logical_id)
        if attached["RoleName"] == name and "PolicyDocument" in attached:
            documents.append(attached["PolicyDocument"])
    for logical_id in stack.resources("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
        attached = stack.properties(logical_id)
        if name in attached.get("Roles", []) or stack.physical(logical_id).ref in arns:
            documents.append(attached["PolicyDocument"])
    ours = {stack.physical(logical_id).ref for logical_id in stack.resources("AWS::IAM::ManagedPolicy")}
    documents.extend(_managed(arn, managed or {}) for arn in arns if arn not in ours)
    return documents


def _managed(arn: str, managed: Mapping[str, Document]) -> Document:
    if arn in managed:
        return managed[arn]
    _, _, name = arn.partition(":iam::aws:policy/")
    try:
        return AWS_MANAGED_POLICIES[name]
    except KeyError:
        raise CloudFormationError(f"Nothing is known of the managed policy {arn}") from None


def role_with_arn(stack: Stack, arn: str) -> str:
    """The logical ID of the role that has this ARN."""
    for logical_id in stack.resources("AWS::IAM::Role"):
        if stack.physical(logical_id).attributes["Arn"] == arn:
            return logical_id
    raise CloudFormationError(f"No role of this template is {arn}")


# Dependencies


def dependencies(fragment: Document, logical_id: str) -> set[str]:
    """The resources that a resource waits for, through `DependsOn`, `Ref`, `Fn::GetAtt` or `Fn::Sub`."""
    resource = fragment["Resources"][logical_id]
    depends_on = resource.get("DependsOn", [])
    named = {depends_on} if isinstance(depends_on, str) else set(depends_on)
    named |= set(_mentioned(resource.get("Properties", {})))
    return named & set(fragment["Resources"])


def _mentioned(value: Any) -> Iterator[str]:
    match value:
        case {"Ref": str(name)} if len(value) == 1:
            yield name
        case {"Fn::GetAtt": str(name)} if len(value) == 1:
            yield name.split(".")[0]
        case {"Fn::GetAtt": [str(name), *_]} if len(value) == 1:
            yield name
        case {"Fn::Sub": str(template)} if len(value) == 1:
            yield from _in_text(template, {})
        case {"Fn::Sub": [str(template), dict(variables)]} if len(value) == 1:
            yield from _in_text(template, variables)
            yield from _mentioned(variables)
        case dict():
            for each in value.values():
                yield from _mentioned(each)
        case list():
            for each in value:
                yield from _mentioned(each)


def _in_text(template: str, variables: Document) -> Iterator[str]:
    for name in re.findall(r"\$\{([^!}][^}]*)\}", template):
        if name not in variables:
            yield name.split(".")[0]


def circle(fragment: Document) -> list[str]:
    """The first circular dependency, as logical IDs; empty if CloudFormation finds an order to create them."""
    done: set[str] = set()

    def visit(logical_id: str, path: list[str]) -> list[str]:
        if logical_id in path:
            return path[path.index(logical_id) :]
        if logical_id in done:
            return []
        for dependency in sorted(dependencies(fragment, logical_id)):
            if found := visit(dependency, [*path, logical_id]):
                return found
        done.add(logical_id)
        return []

    for logical_id in fragment.get("Resources", {}):
        if found := visit(logical_id, []):
            return found
    return []

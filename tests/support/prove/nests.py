"""Random templates whose values are nests of intrinsic functions, and the same templates written out.

What a value comes to is drawn first: text, with references to resources in it. Then it is wrapped in functions, in
random order and depth, next to decoys that no setting or only another one selects. `written_out` resolves all functions
again by the rules of `tests.support.cloudformation`, and leaves the references to the template's own resources.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html
"""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Callable, Mapping
from typing import Any

from tests.support.cloudformation import NO_VALUE, Document, Stack

Value = Any
Parts = list[str | Document]
"""Text, and references to resources of the template or to pseudo parameters."""

STAGES = ("test", "live")
REGIONS = ("us-east-1", "eu-west-1")
NO = {"Ref": "AWS::NoValue"}
# Delimiters that no name given by AWS contains.
DELIMITERS = ("|", ";", "~", "#+#")

CONDITIONS: Document = {
    "IsLive": {"Fn::Equals": [{"Ref": "Stage"}, "live"]},
    "IsTest": {"Fn::Not": [{"Condition": "IsLive"}]},
    "InEurope": {"Fn::Equals": ["eu-west-1", {"Ref": "AWS::Region"}]},
    "LiveInEurope": {"Fn::And": [{"Condition": "IsLive"}, {"Condition": "InEurope"}]},
    "TestOrEurope": {"Fn::Or": [{"Condition": "IsTest"}, {"Condition": "InEurope"}]},
    "Mapped": {"Fn::Equals": [{"Fn::FindInMap": ["Stages", {"Ref": "Stage"}, "Name"]}, "trial"]},
}
RESOURCES: Mapping[str, tuple[str, str]] = {
    # Logical ID: its type, and the property that gives its name.
    "Repo": ("AWS::ECR::Repository", ""),
    "NamedRepo": ("AWS::ECR::Repository", "RepositoryName"),
    "Logs": ("AWS::Logs::LogGroup", ""),
    "NamedLogs": ("AWS::Logs::LogGroup", "LogGroupName"),
    "Key": ("AWS::KMS::Key", ""),
    "Secret": ("AWS::SecretsManager::Secret", ""),
    "KeySecret": ("AWS::SecretsManager::Secret", ""),
    "Database": ("AWS::RDS::DBInstance", ""),
    "Setting": ("AWS::SSM::Parameter", ""),
    "NamedSetting": ("AWS::SSM::Parameter", "Name"),
    "Bucket": ("AWS::S3::Bucket", ""),
    "KeyBucket": ("AWS::S3::Bucket", ""),
}


def ref(name: str) -> Document:
    return {"Ref": name}


def att(logical_id: str, name: str) -> Document:
    return {"Fn::GetAtt": [logical_id, name]}


SOME_REGION: Parts = [ref("AWS::Region"), "eu-west-1"]
HERE: Parts = [ref("AWS::Region"), ":", ref("AWS::AccountId"), ":"]
ARN: Parts = ["arn:", ref("AWS::Partition"), ":"]


class Nests:
    """One random template: `fragment` is for CloudFormation, `given` are its parameters' values but for `Stage`."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.given: dict[str, str] = {}
        self.fragment: Document = {
            "Parameters": {"Stage": {"Type": "String", "Default": "test", "AllowedValues": list(STAGES)}},
            "Mappings": {"Stages": {"test": {"Name": "trial"}, "live": {"Name": "real"}}},
            "Conditions": copy.deepcopy(CONDITIONS),
            "Resources": {},
        }
        resources = self.fragment["Resources"]
        for logical_id, (kind, name) in RESOURCES.items():
            slash = "/" if kind == "AWS::SSM::Parameter" and self.draw.random() < 0.5 else ""
            properties = {name: self.nest([f"{slash}team/{logical_id.lower()}"])} if name else {}
            resources[logical_id] = {"Type": kind, "Properties": properties}
        for setting in ("Setting", "NamedSetting"):
            resources[setting]["Properties"] |= {"Type": "String", "Value": "x"}
        key = self.draw.choice([ref("Key"), att("Key", "Arn")])
        resources["KeySecret"]["Properties"]["KmsKeyId"] = self.nest([key])
        rule = {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": self.nest([key])}}
        encryption: Value = {"ServerSideEncryptionConfiguration": [{**rule, **self.maybe(BucketKeyEnabled=True)}]}
        if self.draw.random() < 0.3:
            encryption = {"Fn::If": [self.draw.choice(list(CONDITIONS)), encryption, NO]}
        resources["KeyBucket"]["Properties"]["BucketEncryption"] = encryption
        task: Document = {"Type": "AWS::ECS::TaskDefinition", "Properties": {"ExecutionRoleSpec": self.spec()}}
        task["Properties"]["ContainerDefinitions"] = self.some(self.container, least=1)
        resources["Task"] = {**task, **self.maybe(Condition=self.draw.choice(list(CONDITIONS)))}

    # Small things

    def maybe(self, chance: float = 0.4, **values: Value) -> Document:
        return values if self.draw.random() < chance else {}

    def new(self, kind: str, prefix: str, definition: Document) -> str:
        name = f"{prefix}{len(self.fragment[kind])}"
        self.fragment[kind][name] = definition
        return name

    def some(self, make: Callable[[], Value], *, least: int = 0) -> Value:
        """A list of items, some under a condition, the list itself perhaps too."""
        items: list[Value] = []
        for _ in range(self.draw.randint(least, 2)):
            item = make()
            if self.draw.random() < 0.3:
                both = [item, self.draw.choice([NO, make()])]
                self.draw.shuffle(both)
                item = {"Fn::If": [self.draw.choice(list(CONDITIONS)), *both]}
            items.append(item)
        if least:
            items.append(make())
        if self.draw.random() < 0.15:
            return {"Fn::If": [self.draw.choice(list(CONDITIONS)), items, [make()]]}
        return items

    # What values come to

    def name(self) -> Parts:
        names: list[Parts] = [
            ["web"],
            ["deep/er/path_1.2"],
            ["team/", ref("AWS::StackName")],
            [ref("AWS::Region"), "/db-master"],
            ["app-secret"],
            ["a/b"],
        ]
        return self.draw.choice(names)

    def place(self) -> Parts:
        return self.draw.choice([HERE, ["eu-west-1:", ref("AWS::AccountId"), ":"], ["us-east-1:210987654321:"]])

    def image(self) -> Parts:
        accounts: Parts = [ref("AWS::AccountId"), "210987654321"]
        account = self.draw.choice(accounts)
        region = self.draw.choice(SOME_REGION)
        host: Parts = [account, ".dkr.ecr.", region, ".amazonaws.com/"]
        tag = self.draw.choice([[], [":1"], ["@sha256:abc"], [":1.2-x@sha256:abc"]])
        images: list[Parts] = [
            [*host, *self.name(), *tag],
            ["210987654321.dkr-ecr.eu-west-1.on.aws/", *self.name(), *tag],
            [att(self.draw.choice(["Repo", "NamedRepo"]), "RepositoryUri"), *tag],
            ["public.ecr.aws/x/y:1"],
            ["nginx"],
        ]
        return self.draw.choice(images)

    def secret(self) -> Parts:
        tail = self.draw.choice([[], [":user::"], [":::"], ["::AWSCURRENT:"]])
        ending = self.draw.choice([[], ["-a1B2c3"]])
        literal = [*ARN, "secretsmanager:", *self.place(), "secret:", *self.name(), *ending]
        references = [ref("Secret"), ref("KeySecret"), att("Database", "MasterUserSecret.SecretArn")]
        secrets: list[Parts] = [literal, [self.draw.choice(references)]]
        return [*self.draw.choice(secrets), *tail]

    def parameter(self) -> Parts:
        reserved = ["aws/reference/secretsmanager/behind"]
        parameters: list[Parts] = [
            ["/", *self.name()],
            ["plain"],
            [*ARN, "ssm:", *HERE, "parameter/", *self.name()],
            [ref(self.draw.choice(["Setting", "NamedSetting"]))],
            ["/", *reserved],
        ]
        return self.draw.choice(parameters)

    def object(self) -> Parts:
        bucket: list[Parts] = [
            [*ARN, "s3:::settings"],
            [att("Bucket", "Arn")],
            [att("KeyBucket", "Arn")],
            [*ARN, "s3:::", ref("KeyBucket")],
        ]
        # In the name of an object these mean themselves.
        wildcard: Parts = self.draw.choice([[], [], [], ["*"], ["a?b"]])
        return [*self.draw.choice(bucket), "/", *self.name(), *wildcard, ".env"]

    def group(self) -> Parts:
        groups: list[Parts] = [["/ecs/", *self.name()], [ref("Logs")], [ref("NamedLogs")]]
        return self.draw.choice(groups)

    def value_from(self) -> Document:
        make = self.draw.choice([self.secret, self.parameter])
        return {"Name": "S", "ValueFrom": self.either(make)}

    # A definition and its spec

    def container(self) -> Document:
        container: Document = {"Name": "main", "Image": self.either(self.image), "Secrets": self.some(self.value_from)}
        container |= self.maybe(
            EnvironmentFiles=self.some(lambda: {"Type": "s3", "Value": self.either(self.object)}, least=1)
        )
        container |= self.maybe(LogConfiguration=self.log())
        container |= self.maybe(
            0.2,
            RepositoryCredentials={"CredentialsParameter": self.nest(self.draw.choice([["login"], [ref("Secret")]]))},
        )
        return container

    def log(self) -> Value:
        options = {"awslogs-group": self.either(self.group), "awslogs-stream-prefix": self.nest(["x"])}
        options |= self.maybe(**{"awslogs-region": self.nest([self.draw.choice(SOME_REGION)])})
        options |= self.maybe(**{"awslogs-create-group": self.either(lambda: [self.draw.choice(["true", "false"])])})
        log: Value = {"LogDriver": "awslogs", "Options": options}
        if self.draw.random() < 0.2:
            log = {"Fn::If": [self.draw.choice(list(CONDITIONS)), log, NO]}
        return log

    def spec(self) -> Value:
        if self.draw.random() < 0.5:
            return "Auto"
        keys: Parts = [ref("Key"), att("Key", "Arn"), "alias/other", "alias/aws/secretsmanager"]
        key = [self.draw.choice(keys)]
        spec: Document = self.maybe(Images=self.some(lambda: self.either(self.name)))
        spec |= self.maybe(Secrets=self.some(lambda: {"Secret": self.either(self.name), "KmsKey": self.nest(key)}))
        spec |= self.maybe(Parameters=self.some(lambda: {"Parameter": self.either(self.parameter)}))
        spec |= self.maybe(
            LogGroups=self.some(
                lambda: {
                    "LogGroup": self.either(self.group),
                    **self.maybe(StreamPrefix=self.nest(self.name())),
                    **self.maybe(Create=True),
                }
            )
        )
        return spec or {}

    # Nests

    def either(self, make: Callable[[], Parts]) -> Value:
        """A value, or one for each side of a condition, or several levels of that."""
        if self.draw.random() < 0.25:
            return {"Fn::If": [self.draw.choice(list(CONDITIONS)), self.either(make), self.either(make)]}
        return self.nest(make())

    def nest(self, parts: Parts, depth: int = 0) -> Value:
        """Some value that comes to these parts."""
        text = parts[0] if len(parts) == 1 and isinstance(parts[0], str) else None
        forms: list[Callable[[Parts, int], Value]] = [self._sub, self._join]
        if depth < 4:
            forms += [self._selected, self._joined_nests, self._sub_of_nests, self._chosen]
            if text is not None:
                # What holds a reference is taken apart when the stack is deployed, not before.
                forms += [self._mapped, self._given, self._listed, self._split]
        if len(parts) == 1 and self.draw.random() < (0.3 + 0.15 * depth):
            return parts[0]
        return self.draw.choice(forms)(parts, depth)

    def _sub(self, parts: Parts, _: int) -> Value:
        text = ""
        variables: Document = {}
        for part in parts:
            if isinstance(part, str):
                text += part.replace("${", "${!")
            elif self.draw.random() < 0.2:
                # A name of the function's own map hides the template's.
                name = self.draw.choice(["Stage", "Repo", "V"]) + ("" if not variables else str(len(variables)))
                variables[name] = part
                text += f"${{{name}}}"
            else:
                text += "${" + (part["Ref"] if "Ref" in part else ".".join(part["Fn::GetAtt"])) + "}"
        return {"Fn::Sub": [text, variables] if variables else text}

    def _join(self, parts: Parts, _: int) -> Value:
        return {"Fn::Join": ["", list(parts)]}

    def _pieces(self, parts: Parts) -> list[Parts]:
        """The same parts in two to four pieces, with texts cut anywhere."""
        atoms: Parts = []
        for part in parts:
            if isinstance(part, str) and len(part) > 1 and self.draw.random() < 0.5:
                cut = self.draw.randint(1, len(part) - 1)
                atoms += [part[:cut], part[cut:]]
            else:
                atoms.append(part)
        cuts = sorted(self.draw.sample(range(1, len(atoms)), min(len(atoms) - 1, self.draw.randint(1, 3))))
        return [atoms[start:end] for start, end in zip([0, *cuts], [*cuts, len(atoms)], strict=True)]

    def _joined_nests(self, parts: Parts, depth: int) -> Value:
        pieces = self._pieces(parts)
        delimiter = ""
        if all(isinstance(part, str) for part in parts):
            # The text's own characters as the delimiter.
            whole = "".join(str(part) for part in parts)
            delimiter = self.draw.choice(["", "/", "-", ":"])
            pieces = [[piece] for piece in whole.split(delimiter)] if delimiter else pieces
        items = [self.nest(piece, depth + 1) if piece != [""] else "" for piece in pieces]
        return {"Fn::Join": [delimiter, items]}

    def _sub_of_nests(self, parts: Parts, depth: int) -> Value:
        pieces = self._pieces(parts)
        variables = {f"P{i}": self.nest(piece, depth + 1) for i, piece in enumerate(pieces)}
        return {"Fn::Sub": ["".join(f"${{{name}}}" for name in variables), variables]}

    def _chosen(self, parts: Parts, depth: int) -> Value:
        """A condition between two nests of the same."""
        sides = [self.nest(parts, depth + 1), self.nest(parts, depth + 1)]
        return {"Fn::If": [self.draw.choice(list(CONDITIONS)), *sides]}

    def _selected(self, parts: Parts, depth: int) -> Value:
        items: list[Value] = [f"decoy{i}" for i in range(self.draw.randint(0, 3))]
        index = self.draw.randint(0, len(items))
        items.insert(index, self.nest(parts, depth + 1))
        return {"Fn::Select": [self.draw.choice([index, str(index)]), items]}

    def _split(self, parts: Parts, depth: int) -> Value:
        delimiter = self.draw.choice([each for each in DELIMITERS if each not in str(parts[0])] or [""])
        if not delimiter:
            return self._join(parts, depth)
        index = self.draw.randint(0, 2)
        whole = f"d{delimiter}" * index + str(parts[0]) + self.draw.choice(["", f"{delimiter}d"])
        return {"Fn::Select": [index, {"Fn::Split": [delimiter, self.nest([whole], depth + 1)]}]}

    def _mapped(self, parts: Parts, _: int) -> Value:
        """A mapping's value: by the stage or the region, which all give the same, or by a key that is written."""
        by = self.draw.choice(["Stage", "AWS::Region", ""])
        keys = {"Stage": STAGES, "AWS::Region": REGIONS, "": ("here",)}[by]
        table = {key: {"Value": parts[0], "Decoy": "decoy"} for key in keys} | (
            {} if by else {"there": {"Value": "decoy"}}
        )
        name = self.new("Mappings", "Map", table)
        return {"Fn::FindInMap": [name, ref(by) if by else "here", "Value"]}

    def _given(self, parts: Parts, _: int) -> Value:
        """A parameter, of which the user's value hides the default."""
        text = str(parts[0])
        if self.draw.random() < 0.5:
            return ref(self.new("Parameters", "Given", {"Type": "String", "Default": text}))
        name = self.new("Parameters", "Given", {"Type": "String", "Default": "decoy"})
        self.given[name] = text
        return ref(name)

    def _listed(self, parts: Parts, _: int) -> Value:
        """An item of a parameter that is a list."""
        items = [f"decoy{i}" for i in range(self.draw.randint(0, 2))]
        index = self.draw.randint(0, len(items))
        items.insert(index, str(parts[0]))
        kind = self.draw.choice(["CommaDelimitedList", "List<String>"])
        name = self.new("Parameters", "Listed", {"Type": kind, "Default": self.draw.choice([", ", ","]).join(items)})
        return {"Fn::Select": [index, ref(name)]}


# Written out


class _Symbolic(Stack):
    """A stack in which one character is each reference to a resource, so that no function takes it apart."""

    FIRST = 0xE000

    def __init__(self, fragment: Document, parameters: Mapping[str, str], *, region: str) -> None:
        super().__init__(fragment, parameters, region=region)
        self.references: list[Document] = []

    def _symbol(self, reference: Document) -> str:
        if reference not in self.references:
            self.references.append(reference)
        return chr(self.FIRST + self.references.index(reference))

    def ref(self, name: str) -> Any:
        return self._symbol(ref(name)) if name in self.fragment["Resources"] else super().ref(name)

    def attribute(self, logical_id: str, name: str) -> str:
        return self._symbol(att(logical_id, name))

    def written(self, value: Any) -> Any:
        """A resolved value, with the references put back."""
        match value:
            case dict():
                return {key: self.written(each) for key, each in value.items()}
            case list():
                return [self.written(each) for each in value]
            case str():
                pieces: Parts = [
                    self.references[ord(piece) - self.FIRST] if "\ue000" <= piece[0] <= "\uf8ff" else piece
                    for piece in re.findall("[\ue000-\uf8ff]|[^\ue000-\uf8ff]+", value)
                ]
                return (pieces or [""])[0] if len(pieces) < 2 else {"Fn::Join": ["", pieces]}
        return value


def written_out(fragment: Document, parameters: Mapping[str, str], *, region: str) -> Document:
    """The resources of a template in one setting, without parameters, mappings, conditions and functions."""
    stack = _Symbolic(fragment, parameters, region=region)
    resources: Document = {}
    for logical_id in stack.resources():
        resource = fragment["Resources"][logical_id]
        properties = stack.resolve(resource.get("Properties", {}))
        assert properties is not NO_VALUE
        resources[logical_id] = {"Type": resource["Type"], "Properties": stack.written(properties)}
    return {"Resources": resources}

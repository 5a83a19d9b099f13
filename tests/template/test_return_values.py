"""The table of return values names attributes that the resource types have."""

from __future__ import annotations

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from ecs_exec_role.template.return_values import RETURN_VALUES

# AWS's pages of these types have the attributes, and the schemas in cfn-lint do not.
NOT_IN_SCHEMA = {
    ("AWS::DocDB::DBCluster", "MasterUserSecret.SecretArn"),
    ("AWS::RedshiftServerless::Namespace", "Namespace.AdminPasswordSecretArn"),
}


@pytest.mark.parametrize("resource_type, attribute", sorted(set(RETURN_VALUES) - NOT_IN_SCHEMA))
def test_resource_type_has_the_attribute(resource_type: str, attribute: str) -> None:
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource_type)
    assert attribute == "" or attribute in schema.get_atts

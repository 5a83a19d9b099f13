"""EcsExecRole: least-privilege ECS task execution roles, inferred from CloudFormation templates."""

__version__ = "1.0.0"

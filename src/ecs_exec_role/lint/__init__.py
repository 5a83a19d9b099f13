"""`ExecutionRoleSpec` in cfn-lint: the property in its schemas, and rules that run the engine.

See https://github.com/aws-cloudformation/cfn-lint
"""

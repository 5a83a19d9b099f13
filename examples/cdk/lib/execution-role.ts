import { CfnElement, CfnResource, Fn, Stack, Validations } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import { Construct, IConstruct } from 'constructs';

/** An `ExecutionRoleSpec`: `Auto`, `Starter`, or a mapping of its keys. */
export type Spec = 'Auto' | 'Starter' | Record<string, unknown>;

/**
 * What to give as `executionRole` to a task or job definition whose role the macro writes.
 *
 * CDK makes an execution role of its own only where it is given none, and it adds no statement to a role that is
 * imported as immutable. This one is the root of the account because CDK also names it in the key policy of a secret
 * that it encrypts with a customer managed key, where it must be a principal that exists. CDK has already allowed the
 * account to use that key through Secrets Manager, so that it allows nothing more.
 */
export function roleByMacro(scope: Construct): iam.IRole {
  const stack = Stack.of(scope);
  const id = 'RoleByEcsExecRole';
  const existing = stack.node.tryFindChild(id) as iam.IRole | undefined;
  const root = Fn.sub('arn:${AWS::Partition}:iam::${AWS::AccountId}:root');
  return existing ?? iam.Role.fromRoleArn(stack, id, root, { mutable: false });
}

/**
 * Lets the macro write the execution role of a task definition or of an `EcsJobDefinition` of AWS Batch.
 *
 * @param definition was made with `executionRole: roleByMacro(this)`.
 * @param spec the `ExecutionRoleSpec`.
 */
export function writeExecutionRole(definition: IConstruct, spec: Spec = 'Auto'): void {
  const resource = withoutRole(definition);
  resource.addPropertyOverride('ExecutionRoleSpec', spec);
  useMacro(resource, 'CloudFormation-Validate::F3002');
}

/**
 * Lets the macro write one execution role for several definitions of a stack.
 *
 * @param definitions were made with `executionRole: roleByMacro(this)`.
 * @param spec the keys of the `ExecutionRoleSpec` besides `TaskDefinitions`.
 */
export function writeSharedRole(
  scope: Construct, id: string, definitions: IConstruct[], spec: Record<string, unknown> = {},
): CfnResource {
  const stack = Stack.of(scope);
  const TaskDefinitions = definitions.map((definition) => stack.getLogicalId(withoutRole(definition)));
  const role = new CfnResource(scope, id, {
    type: 'AWS::IAM::Role',
    properties: { ExecutionRoleSpec: { ...spec, TaskDefinitions } },
  });
  // F3003: the trust policy, which the macro adds, is missing.
  useMacro(role, 'CloudFormation-Validate::F3002', 'CloudFormation-Validate::F3003');
  return role;
}

function withoutRole(definition: IConstruct): CfnResource {
  const resource = definition.node.defaultChild as CfnResource;
  const isJob = resource.cfnResourceType === 'AWS::Batch::JobDefinition';
  resource.addPropertyDeletionOverride(isJob ? 'ContainerProperties.ExecutionRoleArn' : 'ExecutionRoleArn');
  return resource;
}

function useMacro(resource: CfnElement, ...rules: string[]): void {
  resource.stack.addTransform('EcsExecRole');
  // CDK checks a template before any macro runs, so it does not know what the macro reads and adds.
  const reason = 'The macro EcsExecRole completes this resource.';
  Validations.of(resource).acknowledge(...rules.map((id) => ({ id, reason })));
}

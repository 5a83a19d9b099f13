import { Size, Stack, StackProps } from 'aws-cdk-lib';
import * as batch from 'aws-cdk-lib/aws-batch';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import { Construct } from 'constructs';
import { roleByMacro, writeExecutionRole, writeSharedRole } from './execution-role';
import { WebStack } from './web-stack';

export interface JobsStackProps extends StackProps {
  readonly web: WebStack;
}

/** A job of AWS Batch, two task definitions that share a role, and a secret of another stack. */
export class JobsStack extends Stack {
  constructor(scope: Construct, id: string, props: JobsStackProps) {
    super(scope, id, props);
    const { web } = props;
    const repository = new ecr.Repository(this, 'Repository');
    const image = ecs.ContainerImage.fromEcrRepository(repository, '1.0.0');

    const job = new batch.EcsJobDefinition(this, 'Job', {
      container: new batch.EcsFargateContainerDefinition(this, 'Container', {
        image,
        cpu: 1,
        memory: Size.gibibytes(2),
        executionRole: roleByMacro(this),
      }),
    });
    writeExecutionRole(job);

    const [nightly, hourly] = ['Nightly', 'Hourly'].map((name) => {
      const definition = new ecs.FargateTaskDefinition(this, name, { executionRole: roleByMacro(this) });
      definition.addContainer('export', { image, command: [name.toLowerCase()] });
      return definition;
    });
    writeSharedRole(this, 'ExportRole', [nightly, hourly]);

    // The macro cannot see what another stack's output will be: the spec says that it is a secret, and which key it has.
    const report = new ecs.FargateTaskDefinition(this, 'Report', { executionRole: roleByMacro(this) });
    report.addContainer('report', { image, secrets: { DATABASE: ecs.Secret.fromSecretsManager(web.database) } });
    writeExecutionRole(report, { Secrets: [{ Secret: web.database.secretArn, KmsKey: web.key.keyArn }] });
  }
}

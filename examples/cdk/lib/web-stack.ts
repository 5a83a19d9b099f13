import { Stack, StackProps } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as ecr from 'aws-cdk-lib/aws-ecr';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import * as kms from 'aws-cdk-lib/aws-kms';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as s3 from 'aws-cdk-lib/aws-s3';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import * as ssm from 'aws-cdk-lib/aws-ssm';
import { Construct } from 'constructs';
import { join } from 'node:path';
import { roleByMacro, writeExecutionRole } from './execution-role';

/** A Fargate service with everything for which CDK would grant something to its own execution role. */
export class WebStack extends Stack {
  readonly key: kms.Key;
  readonly database: secretsmanager.Secret;

  constructor(scope: Construct, id: string, props?: StackProps) {
    super(scope, id, props);
    const repository = new ecr.Repository(this, 'Repository');
    this.key = new kms.Key(this, 'Key', { enableKeyRotation: true });
    this.database = new secretsmanager.Secret(this, 'Database', { encryptionKey: this.key });
    const greeting = new ssm.StringParameter(this, 'Greeting', { stringValue: 'Hello' });
    const files = new s3.Bucket(this, 'Files', {
      encryption: s3.BucketEncryption.S3_MANAGED,
      blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
    });

    const taskDefinition = new ecs.FargateTaskDefinition(this, 'TaskDefinition', {
      cpu: 256,
      memoryLimitMiB: 512,
      executionRole: roleByMacro(this),
    });
    taskDefinition.addContainer('web', {
      image: ecs.ContainerImage.fromEcrRepository(repository, '1.0.0'),
      portMappings: [{ containerPort: 8080 }],
      secrets: {
        DATABASE_PASSWORD: ecs.Secret.fromSecretsManager(this.database, 'password'),
        GREETING: ecs.Secret.fromSsmParameter(greeting),
      },
      environmentFiles: [ecs.EnvironmentFile.fromBucket(files, 'web.env')],
      logging: ecs.LogDrivers.awsLogs({
        streamPrefix: 'web',
        logGroup: new logs.LogGroup(this, 'Logs', { retention: logs.RetentionDays.ONE_MONTH }),
      }),
    });
    taskDefinition.addContainer('sidecar', {
      image: ecs.ContainerImage.fromAsset(join(process.cwd(), 'sidecar')),
      logging: ecs.LogDrivers.awsLogs({ streamPrefix: 'sidecar' }),
    });
    writeExecutionRole(taskDefinition);

    const vpc = ec2.Vpc.fromVpcAttributes(this, 'Vpc', {
      vpcId: 'vpc-0a1b2c3d4e5f60718',
      availabilityZones: ['us-east-1a', 'us-east-1b'],
      privateSubnetIds: ['subnet-0a1b2c3d4e5f60718', 'subnet-1a2b3c4d5e6f70819'],
      privateSubnetRouteTableIds: ['rtb-0a1b2c3d4e5f60718', 'rtb-0a1b2c3d4e5f60718'],
    });
    new ecs.FargateService(this, 'Service', {
      cluster: new ecs.Cluster(this, 'Cluster', { vpc }),
      taskDefinition,
      minHealthyPercent: 100,
      circuitBreaker: { rollback: true },
    });
  }
}

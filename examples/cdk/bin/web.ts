#!/usr/bin/env node
import { App } from 'aws-cdk-lib';
import { JobsStack } from '../lib/jobs-stack';
import { WebStack } from '../lib/web-stack';

const app = new App();
const web = new WebStack(app, 'Web');
new JobsStack(app, 'Jobs', { web });

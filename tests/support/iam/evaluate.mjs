// Answers one JSON line per JSON line on standard input:
//   {"policies": [document], "boundaries": [document], "scps": [[document]], "trust": document or null,
//    "requests": [{principal, account, action, resource, context}]}
//   -> {"answers": [{"allowed": boolean, "reason": string}]} or {"error": string}
// A request that the simulator refuses to judge (no such action, a resource that the action does not take) is an error:
// a wrong test must not pass as a denial.
import { createInterface } from 'node:readline'
import { runSimulation } from '@cloud-copilot/iam-simulate'

// Every key here trusts its account, as the keys that CloudFormation users write do: what decides is the role's policy.
function keyPolicy(account) {
  return {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${account}:root` }, Action: 'kms:*', Resource: '*' }]
  }
}

function named(policies, prefix) {
  return policies.map((policy, index) => ({ name: `${prefix}-${index}`, policy }))
}

async function judge({ policies, boundaries, scps, trust }, request) {
  const { principal, account, action, resource, context } = request
  const simulated = await runSimulation(
    {
      request: { principal, action, resource: { resource, accountId: account }, contextVariables: context },
      identityPolicies: named(policies, 'policy'),
      permissionBoundaryPolicies: boundaries.length > 0 ? named(boundaries, 'boundary') : undefined,
      serviceControlPolicies: scps.map((level, index) => ({ orgIdentifier: `level-${index}`, policies: named(level, 'scp') })),
      resourceControlPolicies: [],
      resourcePolicy: trust ?? (action.startsWith('kms:') ? keyPolicy(account) : undefined)
    },
    {}
  )
  if (simulated.resultType === 'error') {
    throw new Error(`${action} on ${resource}: ${JSON.stringify(simulated.errors)}`)
  }
  if (simulated.resultType !== 'single') {
    throw new Error(`${action} on ${resource}: a request names one resource, without an asterisk`)
  }
  const ignored = simulated.result.ignoredContextKeys ?? []
  if (ignored.length > 0) {
    throw new Error(`${action} on ${resource}: the evaluator leaves out the context keys ${ignored.join(', ')}`)
  }
  return { allowed: simulated.overallResult === 'Allowed', reason: explain(simulated, trust) }
}

function explain(simulated, trust) {
  const { identityAnalysis, resourceAnalysis } = simulated.result.analysis
  const analysis = trust ? resourceAnalysis : identityAnalysis
  const decisive = [...(analysis?.denyStatements ?? []), ...(analysis?.allowStatements ?? [])]
  return [simulated.overallResult, ...decisive.map(({ explain: { effect, identifier } }) => `${effect} ${identifier}`)].join(': ')
}

for await (const line of createInterface({ input: process.stdin })) {
  let reply
  try {
    const { requests, ...documents } = JSON.parse(line)
    const answers = []
    for (const request of requests) {
      answers.push(await judge(documents, request))
    }
    reply = { answers }
  } catch (error) {
    reply = { error: error.message }
  }
  process.stdout.write(JSON.stringify(reply) + '\n')
}

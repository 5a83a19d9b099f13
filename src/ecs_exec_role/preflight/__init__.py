"""The check at deployment: does the role allow what its tasks need, and does what they need exist?

    needs -> targets -> observations -> questions to IAM -> verdicts -> a report -> an answer to CloudFormation

Only `aws` calls AWS, `probes` look at the targets, and `handler` is the Lambda function. The other modules are
functions of plain data. `check.check` is the whole of it for a caller that is not CloudFormation, such as the command
line.
"""

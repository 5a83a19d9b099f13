"""The check at deployment: may this role do what its tasks will ask of it, and does what they ask for exist?

    needs -> targets -> observations -> questions to IAM -> verdicts -> a report -> an answer to CloudFormation

`aws` is the one module that calls AWS, `probes` look at the targets, and `handler` is the Lambda function; the rest are
functions of plain data. `check.check` is the whole of it for a caller that is not CloudFormation, such as the command
line.
"""

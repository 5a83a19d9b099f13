"""The check at deployment: may this role do what its tasks will ask of it, and is what they ask for there?

    needs -> things to look at -> questions to IAM -> verdicts -> a report -> an answer to CloudFormation

Everything is a function of plain data, except `aws` (the one module that calls AWS) and `handler` (the Lambda
function). `check.check` is the whole of it for a caller that is not CloudFormation, such as the command line.
"""

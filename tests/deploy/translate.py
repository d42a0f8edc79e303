"""Prints template.yaml as CloudFormation sees it once the transform
AWS::Serverless is done, with the code of each function in a bucket.

translate.py TEMPLATE BUCKET [PARAMETER=VALUE ...]
"""

import json
import sys

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

path, bucket, *given = sys.argv[1:]
with open(path, encoding="utf-8") as file:
    template = yaml_parse(file.read())

# What `sam package` does: code is in a bucket, under the name of its folder.
for resource in template["Resources"].values():
    if resource["Type"] == "AWS::Serverless::Function":
        folder = resource["Properties"]["CodeUri"].split("/")[1]
        resource["Properties"]["CodeUri"] = f"s3://{bucket}/{folder}.zip"

session = boto3.session.Session(region_name="us-east-1")
parameters = dict(g.split("=", 1) for g in given)
translated = Translator({}, Parser(), boto_session=session).translate(template, parameters)
translated["Transform"] = "AWS::LanguageExtensions"  # the other one is done
json.dump(translated, sys.stdout, default=str)

"""What an environment's frameworks compute on a host's GPUs: the question, the report, the judgement; pure."""

from provision.environment.frameworks.judge import judge, judge_output
from provision.environment.frameworks.report import FrameworkReport, parse_report, question
from provision.environment.frameworks.summary import absence, summary

__all__ = ["FrameworkReport", "absence", "judge", "judge_output", "parse_report", "question", "summary"]

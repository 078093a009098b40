"""Questions about an annotation, with options in a balanced order and one right answer."""

from evensight.questions.parsing import Outcome, parse_answer

__all__ = ["Outcome", "parse_answer"]

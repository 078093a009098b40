"""What is put to a model and what comes back, by the names that evaluation knows them by."""

from evensight.models.answering import Answer, Answerer, Asked

__all__ = ["Answer", "Answerer", "Asked"]

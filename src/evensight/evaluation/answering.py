"""What is put to a model and what comes back, by the names that evaluation knows them by."""

from evensight.models.answering import Answer, Answerer, Asked, Subject, Way

__all__ = ["Answer", "Answerer", "Asked", "Subject", "Way"]

"""The task, scorers and metrics that `inspect eval evensight/questions` runs."""

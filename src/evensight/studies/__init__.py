"""Studies: which models are trained on what and asked what, as one file, and the run that does it all."""

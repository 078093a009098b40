"""Controlled stimuli: designs say which scenes there are, the renderer draws one, exactly annotated."""

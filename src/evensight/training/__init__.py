"""Training: fine-tuning any model on examples, and the recipe that made the embedded one."""

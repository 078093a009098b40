"""evensight: where in the picture is a vision-language model right, and how to make it right everywhere."""

__version__ = "0.1.0"

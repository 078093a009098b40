"""Loading a processor, with torchvision and without: the same pixels either way.

Some families' processors come with one for videos, which needs torchvision. evensight shows no videos and loads none
of it, so that what it saves on a machine without torchvision can be loaded on one with it. Images are prepared by
Pillow wherever the family has both ways, so that a machine with torchvision gets the pixels of one without.
"""

import sys
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

from evensight.errors import InputError
from evensight.models.families import family_of

_VIDEO = "video_processor"


def load_processor(name: str, source: str, config: Any, **kwargs: Any) -> Any:
    """A checkpoint's processor, padding on the left, with a chat template.

    Args:
        name: What the user calls the model.
        source: The folder or the Hub's repository.
        config: The model's configuration.
        kwargs: What `from_pretrained` gets besides (`revision`, `trust_remote_code`).

    Raises:
        InputError: It lacks what a chat about images takes; the message says what.
    """
    from transformers import AutoImageProcessor, AutoProcessor

    cls = processor_class(config.model_type)
    has_videos = cls is not None and _VIDEO in cls.get_attributes()
    processor = (image_only(cls) if has_videos else AutoProcessor).from_pretrained(source, **kwargs)
    if has_torchvision() and hasattr(processor, "image_processor"):
        processor.image_processor = AutoImageProcessor.from_pretrained(source, backend="pil", **kwargs)
    template = family_of(config.model_type).chat_template
    if template and not getattr(processor, "chat_template", None):
        processor.chat_template = template
    _check(name, processor)
    processor.tokenizer.padding_side = "left"
    return processor


def _check(name: str, processor: Any) -> None:
    kind = type(processor).__name__
    if not hasattr(processor, "image_processor"):
        raise InputError(
            f"`{name}` has no image processor (it has a {kind}): expected a chat model that takes images"
        )
    if getattr(processor, "tokenizer", None) is None:
        raise InputError(f"`{name}` has no tokenizer beside its {kind}: expected a chat model that takes images")
    if not getattr(processor, "chat_template", None):
        raise InputError(
            f"`{name}` has no chat template, so how it is asked is not known: expected a chat_template.jinja beside "
            "its config.json; take the checkpoint's variant that was trained on conversations (-it, -Instruct, -hf)"
        )


def has_torchvision() -> bool:
    """Whether there is a torchvision that can be imported."""
    from transformers.utils import is_torchvision_available

    return find_spec("torchvision") is not None and bool(is_torchvision_available())


def processor_class(model_type: str) -> Any:
    """The processor class of a model type in transformers; None if there is none.

    A package that it asks for, and uses for videos alone, is stood in for where it is missing.
    """
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

    if model_type not in CONFIG_MAPPING:
        return None
    cls = PROCESSOR_MAPPING.get(CONFIG_MAPPING[model_type], None)
    for package in family_of(model_type).unneeded:
        module = sys.modules[cls.__module__]
        if getattr(module, package, None) is None:
            setattr(module, package, str)
    return cls


def image_only(cls: Any) -> Any:
    """A processor class without its part for videos; it loads and saves itself as the class does."""
    from transformers import ProcessorMixin

    class ImageOnly(ProcessorMixin):  # type: ignore[misc]
        # SmolVLM's chat template asks it how videos are sampled.
        video_processor = SimpleNamespace(num_frames=None, fps=None)

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs.pop(_VIDEO, None)
            super().__init__(*(arg for arg in args if arg is not None), **kwargs)

        @classmethod
        def get_attributes(cls) -> list[str]:
            return [name for name in super().get_attributes() if name != _VIDEO]

        @classmethod
        def from_args_and_dict(cls, args: list[Any], processor_dict: dict[str, Any], **kwargs: Any) -> Any:
            # The arguments are passed by position, so the place of the missing one has to be kept.
            kept = {key: value for key, value in processor_dict.items() if key != _VIDEO}
            args.insert(super().get_attributes().index(_VIDEO), None)
            return super().from_args_and_dict(args, kept, **kwargs)

    made = type(cls.__name__, (cls, ImageOnly), {"__module__": cls.__module__, "__doc__": cls.__doc__})
    made.__qualname__ = cls.__qualname__
    if cls.__name__ == "Molmo2Processor":
        from evensight.models.molmo2_images import register

        register()
    return made

"""Molmo2's image processor without torchvision, which it has no other way around.

It needs torchvision to scale and to normalise. Torchvision scales a tensor by torch's own `interpolate`, which is
what is called here, so the pixels are the same.
"""

from typing import Any

import torch
from torch import Tensor


def register() -> None:
    """Has `AutoImageProcessor` find a Molmo2 image processor that needs no torchvision."""
    from transformers import Molmo2Config
    from transformers.models.auto.image_processing_auto import IMAGE_PROCESSOR_MAPPING

    # `AutoImageProcessor.register` keeps the class that can't be imported beside it, and refuses that one.
    IMAGE_PROCESSOR_MAPPING.register(Molmo2Config, {"pil": image_processor()}, exist_ok=True)


def image_processor() -> Any:
    """The class: transformers' own, with the two operations replaced."""
    from transformers.models.molmo2.image_processing_molmo2 import Molmo2ImageProcessor

    class WithoutTorchvision(Molmo2ImageProcessor):  # type: ignore[misc]
        def resize(self, image: Tensor, size: Any, resample: Any = None, antialias: bool = True, **_: Any) -> Tensor:
            mode = {2: "bilinear", 3: "bicubic"}[int(resample if resample is not None else 2)]
            size_hw = (size.height, size.width)
            return torch.nn.functional.interpolate(image, size_hw, mode=mode, antialias=antialias)

        def normalize(self, image: Tensor, mean: Any, std: Any, **_: Any) -> Tensor:
            shape = (-1, 1, 1)
            return (image - torch.as_tensor(mean).view(shape)) / torch.as_tensor(std).view(shape)

    WithoutTorchvision.__name__ = WithoutTorchvision.__qualname__ = Molmo2ImageProcessor.__name__
    return WithoutTorchvision

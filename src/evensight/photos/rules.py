"""What can be asked of the objects of photographs beyond the paper's rule: each setting makes answers more certain.

The paper's rule (arXiv 2511.11440) is the default of all of them: a category with exactly one instance in its
photograph, a crowd region counting as an instance and never being the one; the cell that holds the centre of its box.
A rule's settings go into the manifest, and the counts before and after each of them into the set's notes.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Rule(BaseModel):
    """Which objects are asked for.

    Shares of the photograph and of a box are from 0 to 1. A certainty is the share of the box that lies in the area
    that is the answer.

    Attributes:
        crowds: What a crowd region does to its category: it is `counted` as an instance, or it is `ignored`, or the
            photographs that have one are left out (`excluded`).
        min_box_share: The least share of the photograph that the box covers.
        max_box_share: The largest.
        inside_area: Whether the box lies in one area.
        min_certainty: The least share of the box that lies in its area.
        margin: How far the centre of the box is from a border between two areas, at least, in sides of an area.
        clear_of_edge: Whether the box keeps off the edge of the photograph, where objects are cut off.
        one_piece: Whether the outline is one polygon; where something hides a part, there are often several. An
            object without a polygon is left out too.
        max_overlap: The largest share of the box that another object's box covers.
        max_category_share: The largest share of the photograph that the boxes of the category cover, in the median
            over the split: a category that fills photographs, such as dining tables, hides what it is asked for.
        without: Categories to leave out.
        only: The categories to keep; all, if none are named.
        without_ids: Objects to leave out, by their annotations' ids: those that somebody looked at and found wrong.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    crowds: Literal["counted", "ignored", "excluded"] = "counted"
    min_box_share: float = Field(0.0, ge=0, le=1)
    max_box_share: float = Field(1.0, gt=0, le=1)
    inside_area: bool = False
    min_certainty: float = Field(0.0, ge=0, le=1)
    margin: float = Field(0.0, ge=0, lt=0.5)
    clear_of_edge: bool = False
    one_piece: bool = False
    max_overlap: float = Field(1.0, ge=0, le=1)
    max_category_share: float = Field(1.0, gt=0, le=1)
    without: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    without_ids: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _leaves_something(self) -> "Rule":
        if self.min_box_share > self.max_box_share:
            raise ValueError(
                f"`min_box_share` {self.min_box_share:g} is above `max_box_share` {self.max_box_share:g}: "
                "no box can be of both"
            )
        if set(self.only) & set(self.without):
            raise ValueError(f"`{sorted(set(self.only) & set(self.without))[0]}` is in both `only` and `without`")
        return self

    @property
    def refinements(self) -> dict[str, object]:
        """The settings that differ from the paper's rule."""
        return self.model_dump(mode="json", exclude_defaults=True)


PAPER_RULE = Rule()
"""The paper's."""

CERTAIN_RULE = Rule(
    crowds="excluded",
    min_box_share=0.01,
    max_box_share=0.25,
    min_certainty=0.75,
    margin=0.1,
    max_category_share=0.3,
)
"""What a person agrees with in nearly all cases, at the price of most of the questions (`docs/photos.md`)."""

"""A drawing of matplotlib's as a part of the page: no style of its own, no names that two drawings share."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

COLOURS = ("#f00001", "#f00002", "#f00003", "#f00004", "#f00005", "#f00006", "#f00007", "#f00008")
"""Stand for the page's series, from which its style sheet makes colours for light and for dark."""
FRONT, LINE = "#f0000e", "#f0000f"
"""Stand for the page's text and its lines."""

_CLASSES = {**{colour: str(at) for at, colour in enumerate(COLOURS, 1)}, FRONT: "f", LINE: "l", "none": "0"}
_CLASSES |= {"#000000": "f", "#ffffff": "b"}
_SVG = "{http://www.w3.org/2000/svg}"
_HREF = "{http://www.w3.org/1999/xlink}href"
_TAGS = frozenset({"svg", "g", "path", "text", "tspan", "defs", "clipPath", "rect", "use"})
_KEPT = frozenset({"d", "x", "y", "width", "height", "transform", "viewBox", "clip-path", "id"})
_STYLED = frozenset({
    "stroke-width", "stroke-dasharray", "stroke-dashoffset", "stroke-opacity", "fill-opacity", "opacity", "text-anchor",
})  # fmt: skip
_URL = re.compile(r"url\(#([\w-]+)\)")


def inlined(text: str, key: str) -> str:
    """Return the drawing as an element of HTML.

    Args:
        text: SVG as matplotlib writes it.
        key: What its own names begin with.
    """
    root = ET.fromstring(text)  # noqa: S314 - matplotlib wrote it a moment ago
    shown = _copied(root, key)
    shown.attrib.pop("width", None)
    shown.attrib.pop("height", None)
    # Its caption names it, and the table of its numbers is what is read.
    shown.set("aria-hidden", "true")
    return ET.tostring(shown, encoding="unicode")


def _copied(element: ET.Element, key: str) -> ET.Element:
    tag = element.tag.removeprefix(_SVG)
    shown = ET.Element(tag, {name: value for name, value in element.attrib.items() if name in _KEPT and tag != "text"})
    if tag == "text":
        shown.attrib.update({name: element.attrib[name] for name in ("x", "y", "transform") if name in element.attrib})
    if "id" in shown.attrib:
        shown.set("id", f"{key}-{shown.attrib['id']}")
    if "clip-path" in shown.attrib:
        shown.set("clip-path", _URL.sub(rf"url(#{key}-\1)", shown.attrib["clip-path"]))
    if element.get(_HREF, "").startswith("#"):
        shown.set("href", f"#{key}-{element.attrib[_HREF][1:]}")
    _restyle(shown, element.get("style", ""))
    shown.text = element.text if tag in {"text", "tspan"} else None
    for child in element:
        if child.tag.removeprefix(_SVG) in _TAGS:
            shown.append(_copied(child, key))
    return shown


def _restyle(shown: ET.Element, style: str) -> None:
    """Turn a style into attributes, and its colours into the page's classes: an inline style is refused there."""
    classes = []
    for part in style.split(";"):
        name, _, value = (one.strip() for one in part.partition(":"))
        if name in {"fill", "stroke"} and shown.tag != "text":
            if value in _CLASSES:
                classes.append(f"{name[0] if name == 'fill' else 'k'}{_CLASSES[value]}")
        elif name in _STYLED:
            shown.set(name, value)
    if classes:
        shown.set("class", " ".join(classes))

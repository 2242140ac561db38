"""SVG as text: elements, escaped, with numbers rounded. Colours come from the page's style sheet, by class."""

from html import escape

Attribute = str | float | int


def element(name: str, *content: str, **attributes: Attribute) -> str:
    """An element; `class_` is written `class`, `stroke_width` `stroke-width`."""
    written = "".join(f' {_name(key)}="{_value(value)}"' for key, value in attributes.items() if value != "")
    return f"<{name}{written}>{''.join(content)}</{name}>" if content else f"<{name}{written}/>"


def text(words: str, x: float, y: float, **attributes: Attribute) -> str:
    """A line of text, escaped."""
    return element("text", escape(words), x=x, y=y, **attributes)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> str:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def picture(width: float, height: float, *content: str, title: str, description: str, class_: str = "") -> str:
    """A drawing that a screen reader reads as one picture."""
    words = element("title", escape(title)) + element("desc", escape(description))
    return element(
        "svg",
        words,
        *content,
        viewBox=f"0 0 {_value(width)} {_value(height)}",
        role="img",
        class_=class_,
        aria_label=escape(f"{title}. {description}", quote=True),
    )


def marker(shape: str, x: float, y: float, size: float, class_: str) -> str:
    """A point: circle, square, triangle or diamond of about one area."""
    if shape == "square":
        side = 1.75 * size
        return element("rect", x=x - side / 2, y=y - side / 2, width=side, height=side, class_=class_)
    if shape == "triangle":
        return _polygon(
            [(x, y - 1.25 * size), (x + 1.15 * size, y + 0.85 * size), (x - 1.15 * size, y + 0.85 * size)], class_
        )
    if shape == "diamond":
        return _polygon([(x, y - 1.3 * size), (x + 1.3 * size, y), (x, y + 1.3 * size), (x - 1.3 * size, y)], class_)
    return element("circle", cx=x, cy=y, r=size, class_=class_)


def path(points: list[tuple[float, float]], class_: str) -> str:
    """A line through points."""
    return element("path", d="M" + " L".join(f"{_value(x)} {_value(y)}" for x, y in points), class_=class_)


def _polygon(corners: list[tuple[float, float]], class_: str) -> str:
    return element("polygon", points=" ".join(f"{_value(x)},{_value(y)}" for x, y in corners), class_=class_)


def _name(key: str) -> str:
    return key.rstrip("_") if key in ("class_",) else key.replace("_", "-") if key != "viewBox" else key


def _value(value: Attribute) -> str:
    if isinstance(value, str):
        return value
    return f"{round(float(value), 1):g}"

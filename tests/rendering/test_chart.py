from __future__ import annotations

from xml.etree import ElementTree

from eid.rendering.chart import BAR, LEFT, RIGHT, WIDTH, render_bars

NAMESPACE = "{http://www.w3.org/2000/svg}"


def bars(svg: str) -> list[tuple[float, str]]:
    drawing = ElementTree.fromstring(svg)  # our own
    found = [item for item in drawing.iter(f"{NAMESPACE}rect") if item.get("height") == str(BAR - 2)]
    return [(float(item.get("width", "")), item.get("fill", "")) for item in found]


def test_bars_are_as_long_as_their_counts():
    drawn = bars(render_bars("Title", ["a", "b"], {"one": [100, 50], "two": [0, None]}))
    full = WIDTH - LEFT - RIGHT
    assert [width for width, _ in drawn[:2]] == [full, 0]
    assert drawn[2][0] == full / 2
    assert drawn[3][1] == "url(#hatch)"
    assert drawn[0][1] != drawn[1][1]


def test_a_suppressed_bar_says_nothing_of_its_count():
    one = render_bars("t", ["a"], {"x": [None]})
    assert bars(one)[0][0] == bars(render_bars("t", ["a", "b"], {"x": [None, 9]}))[0][0]


def test_texts_are_text():
    label = "<script>\"&'</script>"
    svg = render_bars(label, [label], {label: [1]}, suppressed=label)
    drawing = ElementTree.fromstring(svg)  # our own
    assert drawing.get("aria-label") == label
    assert "<script" not in svg


def test_nothing_to_draw():
    assert bars(render_bars("t", [], {"x": []})) == []
